//! One execution: into the sandbox, and out of it into the store.

pub(crate) mod account;
mod timeline;

use std::sync::Arc;

use innkeeper_model::BoxFuture;
use innkeeper_model::event::HOPS_MAX;
use innkeeper_model::execution::{Execution, ExecutionStatus, Failure, FailureKind};
use innkeeper_model::id::EventId;
use innkeeper_model::sandbox::{
    Effects, Invocation, Outcome, ProgressSink, PublishedEvent, Report, StopReason,
};
use innkeeper_model::trace::{TraceContext, TraceId};
use innkeeper_store::{Claimed, NewEvent, RunEnding, Settled, Settlement, StoreError, Verdict};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tracing::Instrument as _;

use crate::bus::{ChangeKind, ExecutionEnded, Message, TaskChange};
use crate::fire::NAP;
use crate::quotas::Room;
use crate::state::Shared;
use crate::verdict::after_failure;
use crate::{alerts, publish};

use self::timeline::Timeline;

/// Runs for which there is no room that are noted as skipped, of one execution. Each takes memory until it is written.
const SKIPPED_RUNS_MAX: u64 = 100_000;

/// Runs a claimed execution to its end and settles it. The slot is free again as soon as the sandbox is.
pub(crate) async fn run(shared: Arc<Shared>, claimed: Claimed, slot: OwnedSemaphorePermit) {
    shared.metrics.started(&claimed, shared.clock.now());
    let stop = stopped(shared.running.stop_signal(&claimed.execution_id));
    let trace = timeline::place(&shared, &claimed);
    let mut timeline = Timeline::begin(&shared, &trace);
    let span = span(&claimed, &trace);
    let report = shared.sandbox.execute(invocation(&shared, &claimed, trace), stop).instrument(span).await;
    if let Some(timeline) = &mut timeline {
        timeline.left_sandbox(&shared);
    }
    shared.running.unregister(&claimed.execution_id);
    // The slot is for another as soon as the sandbox is free, unless too many ends wait to be written.
    let _unsettled = shared.unsettled.acquire().await;
    // First its place in the tenant's share: whoever gets the slot is chosen among all that may have it.
    shared.free_share(&claimed.tenant, 1);
    drop(slot);
    let (mut settlement, _room) = settlement(&shared, &claimed, report).await;
    if let Some(settled) = settle(&shared, &settlement).await {
        if let Some(error) = settled.conflict.clone() {
            settlement.verdict =
                Verdict::Failure { kind: FailureKind::Conflict, error, run: on_conflict(&shared, &claimed) };
        }
        let kind = match &settlement.verdict {
            Verdict::Success { .. } => None,
            Verdict::Failure { kind, .. } => Some(*kind),
        };
        account::note(&shared, &claimed, &settlement, &settled);
        shared.metrics.ended(&settlement);
        if let Some(timeline) = timeline {
            timeline.end(&shared, &claimed, &settlement);
        }
        tell(&shared, &claimed, settlement, &settled);
        shared.follow(settled.then, &mut None);
        shared.suspect_ended(&claimed, kind).await;
        shared.plugin_has_room(&claimed.tenant, &claimed.plugin);
    }
    shared.reopen(&claimed.tenant, &claimed.task_id);
}

/// What happens in the sandbox is logged below it. Where nobody listens to spans it costs a comparison.
fn span(claimed: &Claimed, trace: &TraceContext) -> tracing::Span {
    tracing::debug_span!(
        "run.execute",
        tenant = %claimed.tenant,
        task_id = %claimed.task_id,
        run_id = %claimed.run_id,
        execution_id = %claimed.execution_id,
        trace_id = %trace.trace_id,
        attempt = claimed.attempt,
        trigger = claimed.trigger.as_str(),
    )
}

fn invocation(shared: &Arc<Shared>, claimed: &Claimed, trace: TraceContext) -> Invocation {
    let plugin = shared.policies.of(&claimed.tenant, &claimed.plugin);
    Invocation {
        tenant: claimed.tenant.clone(),
        task_id: claimed.task_id.clone(),
        run_id: claimed.run_id,
        execution_id: claimed.execution_id,
        plugin: claimed.plugin.clone(),
        digest: claimed.digest,
        attempt: claimed.attempt,
        max_attempts: claimed.retry.max_attempts,
        scheduled_at: claimed.scheduled_at,
        started_at: claimed.started_at,
        metadata: claimed.metadata.clone(),
        trace,
        event: claimed.event.clone(),
        data: claimed.data.clone(),
        event_data_bytes_max: shared.config.event_data_bytes_max,
        limits: shared.limits(&claimed.tenant, &plugin.policy.limits, &claimed.limits),
        grants: Arc::clone(&plugin.grants),
        state: Arc::clone(&shared.state_reader),
        progress: Arc::clone(shared) as Arc<dyn ProgressSink>,
    }
}

/// Resolves when the execution is told to stop.
fn stopped(stop: Option<watch::Receiver<Option<StopReason>>>) -> BoxFuture<StopReason> {
    Box::pin(async move {
        let Some(mut stop) = stop else { return std::future::pending().await };
        if stop.wait_for(Option::is_some).await.is_err() {
            // The sender is gone: the execution has ended, and nobody stops it any more.
            return std::future::pending().await;
        }
        let reason = *stop.borrow();
        reason.unwrap_or(StopReason::Interrupted)
    })
}

/// What is to be written, and the room for the runs that it makes, which lasts until they are queued.
async fn settlement(shared: &Shared, claimed: &Claimed, report: Report) -> (Settlement, Option<Room>) {
    let now = shared.clock.now();
    let outcome = end_chain(shared, claimed, report.outcome, &report.effects);
    let outcome = account::refuse_bytes(shared, claimed, outcome, &report.effects).await;
    let mut room = None;
    let outcome = match outcome {
        Outcome::Success(output) => success(shared, claimed, output, report.effects),
        Outcome::Failure(failure) => Err(failure),
    };
    let mut verdict = outcome.unwrap_or_else(|failure| Verdict::Failure {
        kind: failure.kind,
        run: after_failure(claimed, &failure, now),
        error: failure.message,
    });
    if let Verdict::Success { events, .. } = &mut verdict {
        room = account::make_room(shared, &claimed.tenant, events);
    }
    let mut alert = match &verdict {
        // A retry ends the run too if a newer one takes its place.
        Verdict::Failure { kind, error, run } if *run != RunEnding::PutBack => {
            alerts::failed(shared, claimed, || timeline::consequence(shared, claimed), *kind, error)
        }
        _ => None,
    };
    if let Some(alert) = &mut alert {
        room = account::make_room(shared, &claimed.tenant, std::slice::from_mut(alert));
    }
    let settlement = Settlement {
        alert,
        tenant: claimed.tenant.clone(),
        task_id: claimed.task_id.clone(),
        run_id: claimed.run_id,
        execution_id: claimed.execution_id,
        is_one_off: claimed.is_one_off,
        // A clock that went back must not make the row say that it ended before it began.
        completed_at: now.max(claimed.started_at),
        verdict,
        receipt: report.receipt,
        logs: report.logs,
    };
    (settlement, room)
}

/// A handler that would make a chain of events too long fails instead.
fn end_chain(shared: &Shared, claimed: &Claimed, outcome: Outcome, effects: &Effects) -> Outcome {
    if claimed.hops < HOPS_MAX || !matches!(outcome, Outcome::Success(_)) {
        return outcome;
    }
    let heard = |published: &&PublishedEvent| shared.is_heard(&claimed.tenant, published.event.as_str());
    match effects.events.iter().find(heard) {
        Some(published) => Outcome::Failure(Failure::new(
            FailureKind::HopLimit,
            format!(
                "`{}` would be more than {HOPS_MAX} events after the first of its chain",
                published.event
            ),
        )),
        None => outcome,
    }
}

/// What a success leaves. One whose events would start more runs than there is room for, and than are worth a row each, is a
/// failure.
fn success(
    shared: &Shared,
    claimed: &Claimed,
    output: Option<String>,
    effects: Effects,
) -> Result<Verdict, Failure> {
    let trace = (!effects.events.is_empty()).then(|| timeline::consequence(shared, claimed));
    let publish = |published: PublishedEvent| NewEvent {
        trace: trace.clone(),
        id: shared.ids.next(EventId::new),
        listeners: Vec::new(),
        event: published.event,
        data: published.data,
        hops: claimed.hops.saturating_add(1),
        source: Some(claimed.run_id),
        idempotency_key: None,
        over_quota: false,
    };
    let mut events: Vec<_> = effects.events.into_iter().map(publish).collect();
    let room = shared.tenants.find(&claimed.tenant).map_or(0, |kept| shared.room_left(&kept));
    let most = room.max(SKIPPED_RUNS_MAX);
    if publish::find_listeners(shared, &claimed.tenant, &mut events, most).is_none() {
        let message = format!(
            "its events would start more than {most} runs: the quota `queuedRuns` has no room for them"
        );
        return Err(Failure::new(FailureKind::QuotaExceeded, message));
    }
    let on_conflict = on_conflict(shared, claimed);
    Ok(Verdict::Success { output, writes: effects.writes, events, on_conflict })
}

/// What becomes of the run if the handler succeeds but its writes conflict with somebody else's.
fn on_conflict(shared: &Shared, claimed: &Claimed) -> RunEnding {
    after_failure(claimed, &Failure::new(FailureKind::Conflict, ""), shared.clock.now())
}

/// Settles, again and again while the store cannot write but may be able to later. `None` if it has stopped, or if the
/// runner stops meanwhile: then the next start finds the execution running, and recovers it.
async fn settle(shared: &Shared, settlement: &Settlement) -> Option<Settled> {
    let id = settlement.execution_id;
    loop {
        let error = match shared.store.settle(settlement.clone()).await {
            Ok(settled) => return Some(settled),
            Err(error) => error,
        };
        let passes = matches!(error, StoreError::Full | StoreError::Locked | StoreError::Sqlite(_));
        let again = passes && !shared.stopping.is_cancelled();
        tracing::error!(execution_id = %id, %error, again, "run.settle failed");
        if !again {
            return None;
        }
        tokio::time::sleep(NAP).await;
    }
}

/// Tells the log and the live subscribers what was stored.
fn tell(shared: &Shared, claimed: &Claimed, settlement: Settlement, settled: &Settled) {
    let (tenant, task_id) = (&claimed.tenant, &claimed.task_id);
    if let Verdict::Success { events, .. } = &settlement.verdict {
        for event in events {
            publish::tell(shared, tenant, event, settlement.completed_at);
        }
    }
    if let Some(alert) = settlement.alert.as_ref().filter(|_| settled.alerted) {
        shared.metrics.events.increment();
        publish::tell(shared, tenant, alert, settlement.completed_at);
    }
    let ended = ended(claimed, settlement, settled);
    let execution = &ended.execution;
    let (run_id, execution_id, trace_id) = (execution.run_id, execution.id, execution.trace_id);
    let kind = execution.kind.map(FailureKind::as_str);
    let status = execution.status.as_str();
    let duration_ms = execution.completed_at.map(|end| end.since(execution.started_at).as_millis());
    let error = execution.error.as_deref();
    tracing::info!(
        %tenant, %task_id, %run_id, %execution_id, %trace_id, status, kind, error, duration_ms, "run.executed"
    );
    shared.bus.publish(tenant, &format!("execution:{task_id}"), || Message::Execution(Arc::new(ended)));
    if settled.task_removed {
        let change = TaskChange { task_id: task_id.clone(), change: ChangeKind::Finished };
        shared.bus.publish(tenant, &format!("task:{task_id}"), || Message::Task(change));
    }
}

fn ended(claimed: &Claimed, settlement: Settlement, settled: &Settled) -> ExecutionEnded {
    let (status, output, kind, error) = match settlement.verdict {
        Verdict::Success { output, .. } => (ExecutionStatus::Success, output, None, None),
        Verdict::Failure { kind, error, .. } => (ExecutionStatus::Failed, None, Some(kind), Some(error)),
    };
    let execution = Execution {
        id: claimed.execution_id,
        task_id: claimed.task_id.clone(),
        status,
        started_at: claimed.started_at,
        completed_at: Some(settlement.completed_at),
        error,
        attempt: claimed.attempt,
        run_id: claimed.run_id,
        kind,
        trigger: claimed.trigger,
        event: claimed.event.clone(),
        scheduled_at: claimed.scheduled_at,
        output,
        receipt: Some(settlement.receipt),
        plugin: claimed.plugin.clone(),
        plugin_digest: claimed.digest,
        trace_id: claimed
            .trace
            .as_ref()
            .map_or_else(|| TraceId::of_run(claimed.run_id), |trace| trace.trace_id),
    };
    let (ends_run, replay_of) = (settled.run_failed, claimed.replay_of);
    ExecutionEnded { execution, ends_run, replay_of, logs: settlement.logs }
}
