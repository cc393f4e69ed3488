//! What follows when something becomes a run; and manual starts.

use innkeeper_model::id::{ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::run::TriggerKind;
use innkeeper_model::time::Timestamp;
use innkeeper_model::trace::TraceContext;

use crate::queued::QueuedRun;
use crate::run::Claimed;
use crate::target::{Origin, Target};
use crate::{Store, StoreError};

/// What follows from a recording or a settlement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Consequences {
    /// Runs that now wait.
    pub queued: Vec<QueuedRun>,
    /// Runs that were claimed in the same transaction; their executions may start.
    pub started: Vec<Claimed>,
    /// Tasks of which a run has ended without an execution: another may be able to start.
    pub reopened: Vec<(TenantId, TaskId)>,
    /// Executions to be cancelled, because a newer run of their task takes their place.
    pub cancelled: Vec<ExecutionId>,
}

impl Consequences {
    /// The runs that were made, whether they wait or have been claimed: whose they are, their task and their id.
    pub fn recorded(&self) -> impl Iterator<Item = (&TenantId, &TaskId, RunId)> {
        let waiting = self.queued.iter().map(|run| (&run.tenant, &run.task_id, run.run_id));
        waiting.chain(self.started.iter().map(|run| (&run.tenant, &run.task_id, run.run_id)))
    }
}

/// A manual start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualRun {
    /// The task.
    pub task_id: TaskId,
    /// The run's id.
    pub run_id: RunId,
    /// The event name to hand over.
    pub event: Option<String>,
    /// The data to hand over, as JSON text.
    pub data: Option<String>,
    /// What led to it.
    pub trace: Option<TraceContext>,
}

impl Store {
    /// Makes a run of a manual start. `None` if the task does not exist.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn record_manual(
        &self,
        tenant: &TenantId,
        manual: ManualRun,
        now: Timestamp,
    ) -> Result<Option<QueuedRun>, StoreError> {
        let tenant = tenant.clone();
        self.write_urgently(1, move |connection| {
            let Some(mut target) = Target::find(connection, &tenant, &manual.task_id)? else {
                return Ok(None);
            };
            let ManualRun { event, data, trace, .. } = manual;
            let origin = Origin { event, data, trace, ..Origin::new(TriggerKind::Manual) };
            target.insert_run(connection, manual.run_id, &origin, now)
        })
        .await
    }
}
