//! Trying a version with a sample event before anybody relies on it.

use std::sync::Arc;

use innkeeper_model::BoxFuture;
use innkeeper_model::grants::Grants;
use innkeeper_model::id::{Digest, ExecutionId, PluginName, RunId, TaskId, TenantId};
use innkeeper_model::sandbox::{Invocation, Outcome, Report, StopReason, Unheard};
use innkeeper_model::topic::EventName;
use innkeeper_model::trace::TraceContext;

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

/// What a version is tried with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// The event; `None` as when a schedule is due.
    pub event: Option<EventName>,
    /// Its data as JSON text.
    pub data: Option<String>,
    /// The metadata of the task, as JSON text.
    pub metadata: Option<String>,
    /// Whether its requests go where they are granted; else all are denied, for what they do cannot be taken back.
    pub reaches_network: bool,
}

impl TaskRunner {
    /// Executes a stored version once with `sample`. It reads what is stored, as far as `grants` let it; what it publishes and
    /// writes is given back and not applied.
    ///
    /// # Errors
    /// [`RunnerError::TrialFailed`] if the execution fails.
    pub(crate) async fn try_version(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
        digest: Digest,
        sample: &Sample,
        grants: Grants,
    ) -> Result<Report, RunnerError> {
        let invocation = self.trial(tenant, plugin, digest, sample, grants);
        let stopping = self.0.stopping.clone();
        let stop: BoxFuture<StopReason> = Box::pin(async move {
            stopping.cancelled().await;
            StopReason::Interrupted
        });
        let report = self.0.sandbox.execute(invocation, stop).await;
        let failure = match &report.outcome {
            Outcome::Success(_) => None,
            Outcome::Failure(failure) => Some(failure.kind.as_str()),
        };
        tracing::info!(%tenant, %plugin, %digest, failure, "plugin.tried");
        if failure.is_some() { Err(RunnerError::TrialFailed(Box::new(report))) } else { Ok(report) }
    }

    fn trial(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
        digest: Digest,
        sample: &Sample,
        mut grants: Grants,
    ) -> Invocation {
        if !sample.reaches_network {
            grants.http.clear();
        }
        let shared = &self.0;
        let now = shared.clock.now();
        let (run_id, execution_id) = (shared.ids.next(RunId::new), shared.ids.next(ExecutionId::new));
        Invocation {
            tenant: tenant.clone(),
            task_id: trial_task(),
            run_id,
            execution_id,
            // Nothing of a trial is exported.
            trace: TraceContext::of_execution(None, run_id, execution_id, false),
            plugin: plugin.clone(),
            digest,
            attempt: 1,
            max_attempts: 1,
            scheduled_at: if sample.event.is_none() { Some(now) } else { None },
            started_at: now,
            metadata: sample.metadata.as_deref().map(Arc::from),
            event: sample.event.as_ref().map(ToString::to_string),
            data: sample.data.clone(),
            event_data_bytes_max: shared.config.event_data_bytes_max,
            limits: self.limits_of_plugin(tenant, plugin),
            grants: Arc::new(grants),
            state: Arc::clone(&shared.state_reader),
            progress: Arc::new(Unheard),
        }
    }
}

/// The name that a trial goes by.
fn trial_task() -> TaskId {
    "plugin:canary".parse().unwrap_or_else(|_| unreachable!("it is a valid id"))
}
