//! What a task waits for, in words: pure.

use innkeeper_model::id::PluginName;
use innkeeper_model::task::{Overlap, Task, TaskStatus, Trigger};
use innkeeper_model::time::Timestamp;
use innkeeper_store::WaitingRun;

/// What holds runs that could start otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Their tenant is disabled.
    TenantDisabled,
    /// Their plugin version is blamed for a crash of the host; in words.
    Suspect(String),
    /// Their plugin has as many executions as it may have at once.
    PluginCap(PluginName, u32),
    /// Their tenant has as many executions as it may have at once.
    TenantCap(u32),
}

/// Says what the task waits for, given its oldest waiting run and what holds that.
pub(crate) fn why(task: &Task, waiting: Option<&WaitingRun>, hold: Option<&Hold>, now: Timestamp) -> String {
    if let Some(reason) = &task.pause_reason {
        return format!("it is paused: {reason}");
    }
    if hold == Some(&Hold::TenantDisabled) {
        return "its tenant is disabled: nothing runs until the operator enables it".to_owned();
    }
    if task.definition.is_paused {
        return paused(waiting);
    }
    match waiting {
        Some(run) if run.ready_at > now && run.attempt > 1 => {
            let (attempt, of) = (run.attempt, task.definition.retry.max_attempts);
            format!("a retry is due at {}: attempt {attempt} of {of}", run.ready_at)
        }
        Some(run) if run.ready_at > now => format!("its rate limit holds it until {}", run.ready_at),
        Some(run) if hold.is_some() => held(run, hold),
        Some(_) if task.status == TaskStatus::Running => {
            "an execution is running, and the next run waits for its turn".to_owned()
        }
        Some(run) => format!("a run has waited for a free slot since {}", run.recorded_at),
        None => idle(task),
    }
}

fn held(run: &WaitingRun, hold: Option<&Hold>) -> String {
    match hold {
        Some(Hold::Suspect(why)) => format!("a run has waited since {}: {why}", run.recorded_at),
        Some(Hold::PluginCap(plugin, most)) => format!(
            "a run has waited since {}: it waits for a free execution of plugin `{plugin}`, which has {most} at once at most",
            run.recorded_at
        ),
        Some(Hold::TenantCap(most)) => format!(
            "a run has waited since {}: its tenant has {most} executions at once, which is the tenant's cap",
            run.recorded_at
        ),
        _ => format!("a run has waited since {}", run.recorded_at),
    }
}

fn paused(waiting: Option<&WaitingRun>) -> String {
    match waiting {
        Some(run) => format!("it is paused; a run has waited since {} for it to be resumed", run.recorded_at),
        None => "it is paused, and does not run until it is resumed".to_owned(),
    }
}

fn idle(task: &Task) -> String {
    match (&task.definition.trigger, task.next_run_at) {
        // With `allow` nothing waits for what is running.
        _ if task.status == TaskStatus::Running && task.definition.overlap != Overlap::Allow => {
            "an execution is running".to_owned()
        }
        (Trigger::OnEvent(pattern), _) => format!("an event that matches `{pattern}`"),
        (_, Some(at)) => format!("it is due at {at}"),
        (_, None) => "nothing: it is not due again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_model::limits::LimitWishes;
    use innkeeper_model::retry::RetryPolicy;
    use innkeeper_model::task::{Misfire, TaskDefinition};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn task(trigger: Trigger, status: TaskStatus, next_run_at: Option<Timestamp>) -> Task {
        Task {
            definition: TaskDefinition {
                id: "task".parse().expect("an id"),
                name: None,
                overlap: Overlap::default_for(&trigger),
                trigger,
                timezone: "UTC".to_owned(),
                plugin: "plugin".parse().expect("a plugin"),
                retry: RetryPolicy { max_attempts: 3, ..RetryPolicy::ONCE },
                rate_limit: None,
                misfire: Misfire::RunOnce,
                concurrency: None,
                limits: LimitWishes::default(),
                alerts: innkeeper_model::alert::Alerts::default(),
                is_paused: status == TaskStatus::Paused,
                metadata: None,
            },
            status,
            next_run_at,
            cursor: None,
            last_run_at: None,
            attempts: 0,
            rate_count: 0,
            rate_window: None,
            pause_reason: None,
            overdue_since: None,
            created_at: at(0),
            revision: 1,
        }
    }

    #[test]
    fn each_reason_is_told() {
        let cron = || Trigger::Cron("* * * * *".to_owned());
        let due = task(cron(), TaskStatus::Pending, Some(at(60)));
        let listens = task(Trigger::OnEvent("user:*".parse().expect("valid")), TaskStatus::Pending, None);
        let paused = task(cron(), TaskStatus::Paused, None);
        let running = task(cron(), TaskStatus::Running, Some(at(60)));
        let run = |ready_at, attempt| WaitingRun { recorded_at: at(1), ready_at: at(ready_at), attempt };
        for (task, waiting, expected) in [
            (&due, None, "it is due at 1970-01-01T00:01:00.000Z"),
            (&listens, None, "an event that matches `user:*`"),
            (&paused, None, "it is paused, and does not run until it is resumed"),
            (&running, None, "an execution is running"),
            (&due, Some(run(30, 2)), "a retry is due at 1970-01-01T00:00:30.000Z: attempt 2 of 3"),
            (&due, Some(run(30, 1)), "its rate limit holds it until 1970-01-01T00:00:30.000Z"),
            (&due, Some(run(1, 1)), "a run has waited for a free slot since 1970-01-01T00:00:01.000Z"),
            (&running, Some(run(1, 1)), "an execution is running, and the next run waits for its turn"),
            (
                &paused,
                Some(run(1, 1)),
                "it is paused; a run has waited since 1970-01-01T00:00:01.000Z for it to be resumed",
            ),
        ] {
            assert_eq!(why(task, waiting.as_ref(), None, at(10)), expected);
        }
    }

    #[test]
    fn what_holds_a_run_is_told() {
        let listens = task(Trigger::OnEvent("user:*".parse().expect("valid")), TaskStatus::Pending, None);
        let run = WaitingRun { recorded_at: at(1), ready_at: at(1), attempt: 1 };
        for (hold, expected) in [
            (
                Hold::TenantCap(3),
                "a run has waited since 1970-01-01T00:00:01.000Z: its tenant has 3 executions at once, which is the \
                 tenant's cap",
            ),
            (
                Hold::PluginCap("p".parse().expect("a name"), 2),
                "a run has waited since 1970-01-01T00:00:01.000Z: it waits for a free execution of plugin `p`, which has 2 \
                 at once at most",
            ),
            (Hold::Suspect("x".to_owned()), "a run has waited since 1970-01-01T00:00:01.000Z: x"),
            (Hold::TenantDisabled, "its tenant is disabled: nothing runs until the operator enables it"),
        ] {
            assert_eq!(why(&listens, Some(&run), Some(&hold), at(10)), expected);
        }
        let idle = why(&listens, None, Some(&Hold::TenantCap(3)), at(10));
        assert_eq!(idle, "an event that matches `user:*`", "who has no run waits for none");
        let quarantined = Task { pause_reason: Some("quarantine".to_owned()), ..listens };
        assert_eq!(why(&quarantined, None, None, at(10)), "it is paused: quarantine");
    }
}
