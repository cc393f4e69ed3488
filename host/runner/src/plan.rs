//! What becomes of a due task: pure.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use innkeeper_model::id::RunId;
use innkeeper_model::task::{Misfire, Task};
use innkeeper_model::time::Timestamp;
use innkeeper_schedule::cron::Schedule;
use innkeeper_schedule::misfire;
use innkeeper_store::{DueDecision, DueTask, Skip, SkipReason};

use crate::schedules::Schedules;

/// Decides the due times of many tasks up to one moment.
pub(crate) struct Planner<'a> {
    schedules: &'a Schedules,
    now: Timestamp,
    /// Many tasks are due at nine o'clock: what one schedule comes to is worked out once.
    decided: HashMap<(&'a str, &'a str, Misfire, Timestamp), Rc<misfire::Decision>>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(schedules: &'a Schedules, now: Timestamp) -> Self {
        Self { schedules, now, decided: HashMap::new() }
    }

    /// Decides every due time of `due` that has come. `make_id` gives each run its identifier. `None` if the pattern or
    /// the zone of a stored task is no longer understood.
    pub(crate) fn plan(&mut self, due: &'a DueTask, make_id: impl FnMut() -> RunId) -> Option<DueDecision> {
        match due.trigger.cron() {
            None => Some(one_off(due, make_id)),
            Some(cron) => Some(repeating(due, &*self.decide(due, cron)?, make_id)),
        }
    }

    fn decide(&mut self, due: &'a DueTask, cron: &'a str) -> Option<Rc<misfire::Decision>> {
        let key = (cron, due.timezone.as_str(), due.misfire, due.due_at);
        if let Some(decision) = self.decided.get(&key) {
            return Some(Rc::clone(decision));
        }
        let schedule = self.schedules.schedule(cron, &due.timezone)?;
        let before_due = Timestamp::from_millis(due.due_at.as_millis() - 1);
        let decision = Rc::new(misfire::decide(&schedule, before_due, self.now, due.misfire));
        self.decided.insert(key, Rc::clone(&decision));
        Some(decision)
    }
}

/// A one-off fires however late it is, and is never due again.
fn one_off(due: &DueTask, mut make_id: impl FnMut() -> RunId) -> DueDecision {
    DueDecision {
        tenant: due.tenant.clone(),
        task_id: due.id.clone(),
        due_at: due.due_at,
        revision: due.revision,
        fire: vec![(due.due_at, make_id())],
        skips: Vec::new(),
        cursor: due.due_at,
        next_run_at: None,
    }
}

fn repeating(due: &DueTask, decision: &misfire::Decision, mut make_id: impl FnMut() -> RunId) -> DueDecision {
    let skip = |range: &misfire::SkippedRange| Skip {
        reason: SkipReason::Misfire,
        from: range.from,
        to: range.to,
        count: range.count,
    };
    DueDecision {
        tenant: due.tenant.clone(),
        task_id: due.id.clone(),
        due_at: due.due_at,
        revision: due.revision,
        fire: decision.fire.iter().map(|at| (*at, make_id())).collect(),
        skips: decision.skipped.iter().map(skip).collect(),
        cursor: decision.cursor,
        next_run_at: decision.next,
    }
}

/// How a repeating task goes on when it is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Resumption {
    /// Its next due time.
    pub(crate) next_run_at: Option<Timestamp>,
    /// The due times that passed while it was paused: they are not made up for.
    pub(crate) skipped: Option<Skip>,
}

/// Decides every due time up to `now` of a paused task. What was decided before stays so if the clock went back.
pub(crate) fn resume(task: &Task, schedule: &Schedule, now: Timestamp) -> Resumption {
    let decided = task.cursor.unwrap_or(task.created_at);
    let first = schedule.next_after(decided).filter(|first| *first <= now);
    let last = schedule.previous_before(now.saturating_add(Duration::from_millis(1)));
    let skipped = first.zip(last).map(|(from, to)| Skip {
        reason: SkipReason::Paused,
        from,
        to,
        count: schedule.count_between(from, to),
    });
    Resumption { next_run_at: schedule.next_after(now.max(decided)), skipped }
}

#[cfg(test)]
mod tests {
    use innkeeper_model::id::TenantId;
    use innkeeper_model::task::Trigger;
    use innkeeper_schedule::zone::TimezoneData;

    use super::*;

    fn due(trigger: Trigger, due_at: &str) -> DueTask {
        DueTask {
            tenant: TenantId::default_tenant(),
            id: "task".parse().expect("an id"),
            trigger,
            timezone: "UTC".to_owned(),
            misfire: Misfire::RunOnce,
            due_at: at(due_at),
            revision: 1,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn planned(due: &DueTask, now: &str) -> DueDecision {
        let mut number = 0;
        let make_id = || {
            number += 1;
            RunId::new(at(now), [number; 10])
        };
        let schedules = Schedules::new(TimezoneData::Bundled);
        Planner::new(&schedules, at(now)).plan(due, make_id).expect("a decision")
    }

    #[test]
    fn a_due_time_fires_and_the_task_moves_on() {
        let due = due(Trigger::Cron("*/2 * * * * *".to_owned()), "2025-01-01T00:00:02Z");
        let decision = planned(&due, "2025-01-01T00:00:02.010Z");
        assert_eq!(decision.fire.len(), 1);
        assert_eq!(decision.next_run_at, Some(at("2025-01-01T00:00:04Z")));
        assert!(decision.skips.is_empty());
    }

    #[test]
    fn a_month_of_missed_seconds_is_one_run_and_one_skip() {
        let due = due(Trigger::Cron("* * * * * *".to_owned()), "2025-01-01T00:00:00Z");
        let decision = planned(&due, "2025-02-01T00:00:00.500Z");
        let skipped: u64 = decision.skips.iter().map(|skip| skip.count).sum();
        assert_eq!(decision.skips.len(), 1);
        assert_eq!(skipped + decision.fire.len() as u64, 31 * 86_400 + 1);
        assert_eq!(decision.next_run_at, Some(at("2025-02-01T00:00:01Z")));
    }

    #[test]
    fn a_one_off_fires_however_late_and_never_again() {
        let due = due(Trigger::After("5m".to_owned()), "2025-01-01T00:00:00Z");
        let decision = planned(&due, "2026-01-01T00:00:00Z");
        assert_eq!(decision.fire.len(), 1);
        assert_eq!(decision.next_run_at, None);
    }

    #[test]
    fn what_is_no_longer_understood_is_not_planned() {
        let mut gone = due(Trigger::Cron("0 0 * * *".to_owned()), "2025-01-01T00:00:00Z");
        gone.timezone = "Europe/Atlantis".to_owned();
        let schedules = Schedules::new(TimezoneData::Bundled);
        let now = at("2025-01-01T00:00:00Z");
        assert_eq!(Planner::new(&schedules, now).plan(&gone, || RunId::new(now, [0; 10])), None);
    }
}
