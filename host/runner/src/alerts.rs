//! Telling what did not happen: the loop that sees to expectations, and the events that tell of overdue tasks and of runs
//! that failed. What is overdue is decided by [`innkeeper_model::alert`].

use std::sync::Arc;

use innkeeper_model::alert::{OVERDUE_EVENT, Watch, watch};
use innkeeper_model::event::HOPS_MAX;
use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::{EventId, ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::EventName;
use innkeeper_model::trace::TraceContext;
use innkeeper_schedule::duration::format_duration;
use innkeeper_store::{Claimed, Doomed, Expected, NewEvent, StoreError, TenantUsage, Watched};
use serde_json::json;

use crate::execute::account;
use crate::fire::NAP;
use crate::quotas::Room;
use crate::state::Shared;

/// Expectations that are looked at in one transaction.
const GROUP_MAX: u32 = 200;

/// Characters of an error that an event carries.
const ERROR_CHARS_MAX: usize = 4000;

/// Looks at expectations as they come due until the runner stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut next = None;
    let mut nudged = true;
    while !shared.stopping.is_cancelled() {
        // Registered before anything is read, so that no change is missed.
        let nudge = shared.expected.notified();
        tokio::pin!(nudge);
        nudge.as_mut().enable();
        let is_due = next.is_some_and(|at: Timestamp| at <= shared.clock.now());
        if (nudged || is_due) && !shared.store.is_full() {
            match look_at_all(&shared).await {
                Ok(found) => next = found,
                Err(StoreError::Stopped) => return,
                // The next turn is the retry.
                Err(error) => tracing::error!(%error, "alerts.watch failed"),
            }
        }
        nudged = tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = nudge => true,
            () = tokio::time::sleep(NAP) => false,
        };
    }
}

/// Looks at everything that is due, and returns when something will be next.
async fn look_at_all(shared: &Arc<Shared>) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let now = shared.clock.now();
        let due = shared.store.due_expectations(now, GROUP_MAX).await?;
        if due.is_empty() {
            return shared.store.next_expectation().await;
        }
        let mut watches: Vec<_> = due.iter().map(|expected| decide(shared, expected, now)).collect();
        // It lasts until the runs are queued.
        let _rooms: Vec<_> = watches.iter_mut().filter_map(|watched| make_room(shared, watched)).collect();
        let recorded = shared.store.record_watches(watches.clone(), now).await?;
        for (watched, then) in watches.iter().zip(recorded) {
            let Some(then) = then else { continue };
            if let Some(event) = &watched.event {
                let (tenant, task_id) = (&watched.tenant, &watched.task);
                tracing::warn!(%tenant, %task_id, since = ?watched.overdue_since, "task.overdue");
                shared.metrics.events.increment();
                if let Some(meters) = shared.meters(tenant) {
                    let stored_bytes = account::data_bytes(event);
                    meters.add(TenantUsage { stored_bytes, ..TenantUsage::default() });
                }
                crate::publish::tell(shared, tenant, event, now);
            }
            shared.follow(then, &mut None);
        }
    }
}

fn make_room(shared: &Shared, watched: &mut Watched) -> Option<Room> {
    account::make_room(shared, &watched.tenant, std::slice::from_mut(watched.event.as_mut()?))
}

fn decide(shared: &Shared, expected: &Expected, now: Timestamp) -> Watched {
    let (check_at, overdue_since, is_told) = match watch(&expected.expectation, now) {
        Watch::Fulfilled { check_at } => (check_at, None, false),
        Watch::Overdue { since, check_at } => (check_at, Some(since), true),
        Watch::StillOverdue { check_at } => (check_at, expected.expectation.told_since, false),
    };
    let event = overdue_since.filter(|_| is_told).map(|since| overdue(shared, expected, since));
    Watched {
        tenant: expected.tenant.clone(),
        task: expected.task.clone(),
        was_check_at: expected.check_at,
        check_at,
        overdue_since,
        event,
    }
}

fn overdue(shared: &Shared, expected: &Expected, since: Timestamp) -> NewEvent {
    let within = format_duration(expected.expectation.within);
    let data = json!({"taskId": expected.task, "since": since, "expectWithin": within});
    let name = OVERDUE_EVENT.parse().expect("the name of an event");
    event(shared, &expected.tenant, name, &data, 1)
}

/// What tells that a run failed: whose, and how it ended.
struct FailedRun<'a> {
    tenant: &'a TenantId,
    task: &'a TaskId,
    run: RunId,
    execution: ExecutionId,
    attempt: u32,
    hops: u32,
    kind: FailureKind,
    error: &'a str,
}

/// The event that a task wants published if its run ends with this failure. `None` if it wants none, or if the chain of
/// events would become too long. `trace` says what the event follows from.
pub(crate) fn failed(
    shared: &Shared,
    claimed: &Claimed,
    trace: impl FnOnce() -> TraceContext,
    kind: FailureKind,
    error: &str,
) -> Option<NewEvent> {
    let name = claimed.on_failure.clone()?;
    let failed = FailedRun {
        tenant: &claimed.tenant,
        task: &claimed.task_id,
        run: claimed.run_id,
        execution: claimed.execution_id,
        attempt: claimed.attempt,
        hops: claimed.hops,
        kind,
        error,
    };
    let event = tell_failure(shared, name, &failed)?;
    Some(NewEvent { trace: Some(trace()), ..event })
}

fn tell_failure(shared: &Shared, name: EventName, failed: &FailedRun<'_>) -> Option<NewEvent> {
    if failed.hops >= HOPS_MAX {
        let (tenant, task_id) = (failed.tenant, failed.task);
        tracing::warn!(%tenant, %task_id, event = %name, "alerts.hop_limit: the failure is not told");
        return None;
    }
    let error: String = failed.error.chars().take(ERROR_CHARS_MAX).collect();
    let data = json!({
        "taskId": failed.task,
        "runId": failed.run,
        "executionId": failed.execution,
        "attempt": failed.attempt,
        "kind": failed.kind,
        "error": error,
    });
    let mut event = event(shared, failed.tenant, name, &data, failed.hops.saturating_add(1));
    event.source = Some(failed.run);
    Some(event)
}

fn event(
    shared: &Shared,
    tenant: &TenantId,
    name: EventName,
    data: &serde_json::Value,
    hops: u32,
) -> NewEvent {
    NewEvent {
        id: shared.ids.next(EventId::new),
        listeners: shared.listeners(tenant, name.as_str()),
        event: name,
        data: Some(data.to_string()),
        hops,
        source: None,
        idempotency_key: None,
        over_quota: false,
        trace: None,
    }
}

/// Tells of the runs that recovery is about to end. To be called before it: a host that goes away in between tells it again,
/// under the same key, which does nothing.
pub(crate) async fn tell_doomed(shared: &Shared, now: Timestamp) -> Result<(), StoreError> {
    for doomed in shared.store.doomed_runs().await? {
        let Doomed { tenant, task, run, execution, attempt, hops, kind, on_failure } = doomed;
        let error = "the host went away while the execution ran";
        let failed = FailedRun { tenant: &tenant, task: &task, run, execution, attempt, hops, kind, error };
        let Some(mut event) = tell_failure(shared, on_failure, &failed) else { continue };
        event.idempotency_key = Some(format!("onFailure:{run}"));
        shared.store.record_events(&tenant, vec![event].into(), Vec::new(), now).await?;
    }
    Ok(())
}
