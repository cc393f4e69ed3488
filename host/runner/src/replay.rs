//! Running failed runs again.

use std::iter;
use std::sync::Arc;

use innkeeper_model::id::{ExecutionId, RunId, TenantId};
use innkeeper_model::progress::Progress;
use innkeeper_model::trace::{TraceContext, TraceId};
use innkeeper_store::{DeadFilter, Replay, TenantUsage, TrailEntry, TrailFilter, TrailPage};

use crate::error::RunnerError;
use crate::spans::Recording;
use crate::state::Shared;
use crate::task_runner::TaskRunner;

/// Dead runs that are repeated in one transaction: it is to stay short.
const REPEATED_AT_ONCE: u32 = 256;

/// A run that repeats another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated {
    /// The new run.
    pub run_id: RunId,
    /// The one that it repeats.
    pub replay_of: RunId,
}

/// What came of repeating dead runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RedriveReport {
    /// Dead runs that were looked at.
    pub matched: u32,
    /// Those of them that run again.
    pub redriven: u32,
    /// Those of them that cannot: the event that made them is gone.
    pub events_gone: u32,
    /// Whether there may be more than these.
    pub is_more: bool,
}

impl TaskRunner {
    /// Starts a run that gets what the run of this execution got; that must have ended as failed with it. It is a manual
    /// start: no overlap policy skips it. `cause` is what led to the wish; without one a trace begins with the run.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such execution; [`RunnerError::Conflict`] if its run has not ended as
    /// failed, is repeated already, or cannot be repeated because its task or its event is gone.
    pub async fn replay(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        cause: Option<TraceContext>,
    ) -> Result<Repeated, RunnerError> {
        self.refuse_when_stopping()?;
        let (shared, tenant) = (Arc::clone(&self.0), tenant.clone());
        self.0.finish(async move { replay(&shared, &tenant, id, cause).await }).await
    }

    /// Repeats dead runs that nobody has repeated and whose task is there, the oldest first, `limit` at most. With
    /// `dry_run` they are only counted. `cause` is what led to the wish, as with [`TaskRunner::replay`].
    ///
    /// # Errors
    /// Those of the store; then some may run again already, and are not dead any more.
    pub async fn redrive(
        &self,
        tenant: &TenantId,
        filter: DeadFilter,
        limit: u32,
        dry_run: bool,
        cause: Option<TraceContext>,
    ) -> Result<RedriveReport, RunnerError> {
        if dry_run {
            let counted = self.0.store.count_dead(tenant, filter, limit.saturating_add(1)).await?;
            let (matched, is_more) = (counted.min(limit), counted > limit);
            return Ok(RedriveReport { matched, is_more, ..RedriveReport::default() });
        }
        self.refuse_when_stopping()?;
        let (shared, tenant) = (Arc::clone(&self.0), tenant.clone());
        self.0.finish(async move { redrive(&shared, &tenant, filter, limit, cause).await }).await
    }

    /// Executions of all tasks, the newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn trail(&self, tenant: &TenantId, filter: TrailFilter) -> Result<TrailPage, RunnerError> {
        Ok(self.0.store.trail(tenant, filter).await?)
    }

    /// The execution with this id, and what became of its run if that failed.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none.
    pub async fn trail_entry(&self, tenant: &TenantId, id: &ExecutionId) -> Result<TrailEntry, RunnerError> {
        let found = self.0.store.trail_entry(tenant, id).await?;
        found.ok_or_else(|| RunnerError::not_found("execution", id))
    }

    /// How far a running execution says it is; `None` if it says nothing.
    #[must_use]
    pub fn progress(&self, id: &ExecutionId) -> Option<Progress> {
        self.0.running.progress(id)
    }
}

async fn replay(
    shared: &Shared,
    tenant: &TenantId,
    id: ExecutionId,
    cause: Option<TraceContext>,
) -> Result<Repeated, RunnerError> {
    let kept = shared.open_tenant(tenant)?;
    // How much it keeps is known when it is recorded.
    shared.admit_stored(&kept, stored(1)).await?;
    let _room = shared.room(&kept, 1)?;
    let run_id = shared.ids.next(RunId::new);
    let conflict = |code, detail: String| Err(RunnerError::Conflict { code, detail });
    let recording = Recording::begin(shared, cause);
    match shared.store.replay(tenant, id, run_id, recording.trace.clone(), shared.clock.now()).await? {
        Replay::Recorded(queued, replay_of, bytes) => {
            kept.meters.add(stored(bytes));
            let trace = recording.trace.as_ref();
            let trace_id = trace.map_or_else(|| TraceId::of_run(run_id), |trace| trace.trace_id);
            tracing::info!(%tenant, task_id = %queued.task_id, %run_id, %trace_id, %replay_of, "run.replayed");
            recording.end(shared, Some(tenant), iter::once((tenant, &queued.task_id, run_id)));
            shared.enqueue(Some(queued));
            Ok(Repeated { run_id, replay_of })
        }
        Replay::NoExecution => Err(RunnerError::not_found("execution", &id)),
        Replay::NotDead => conflict(
            "not_dead",
            format!("the execution `{id}` is not the one with which its run ended as failed"),
        ),
        Replay::Replayed(run) => conflict(
            "already_replayed",
            format!("the run of the execution `{id}` is repeated by the run `{run}`"),
        ),
        Replay::TaskGone => {
            conflict("task_gone", format!("the task of the execution `{id}` does not exist any more"))
        }
        Replay::EventGone => conflict(
            "event_gone",
            format!("the event that led to the execution `{id}`, and its data, are not kept any more"),
        ),
    }
}

fn stored(bytes: u64) -> TenantUsage {
    TenantUsage { stored_bytes: bytes, ..TenantUsage::default() }
}

async fn redrive(
    shared: &Shared,
    tenant: &TenantId,
    filter: DeadFilter,
    limit: u32,
    cause: Option<TraceContext>,
) -> Result<RedriveReport, RunnerError> {
    let mut report = RedriveReport { is_more: true, ..RedriveReport::default() };
    let mut after = None;
    while report.is_more && report.matched < limit {
        let wanted = REPEATED_AT_ONCE.min(limit - report.matched);
        let kept = shared.open_tenant(tenant)?;
        shared.admit_stored(&kept, stored(1)).await?;
        let _room = shared.room(&kept, usize::try_from(wanted).unwrap_or(usize::MAX))?;
        let runs = (0..wanted).map(|_| shared.ids.next(RunId::new)).collect();
        let recording = Recording::begin(shared, cause.clone());
        let (trace, now) = (recording.trace.clone(), shared.clock.now());
        let done = shared.store.redrive(tenant, filter.clone(), after, runs, trace, now).await?;
        let repeated = done.queued.iter().map(|run| (&run.tenant, &run.task_id, run.run_id));
        recording.end(shared, Some(tenant), repeated);
        kept.meters.add(stored(done.bytes));
        let redriven = u32::try_from(done.queued.len()).unwrap_or(u32::MAX);
        let matched = redriven + done.events_gone;
        report.matched += matched;
        report.redriven += redriven;
        report.events_gone += done.events_gone;
        report.is_more = matched == wanted;
        after = done.last;
        shared.enqueue(done.queued);
    }
    tracing::info!(%tenant, matched = report.matched, redriven = report.redriven, "run.redriven");
    Ok(report)
}
