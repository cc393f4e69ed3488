//! Starting a task by hand.

use std::iter;

use innkeeper_model::id::{RunId, TaskId, TenantId};
use innkeeper_model::problem::FieldError;
use innkeeper_model::topic::EventName;
use innkeeper_model::trace::{TraceContext, TraceId};
use innkeeper_store::{ManualRun, ManualStart, QueuedRun, TenantUsage};
use serde_json::Value;

use crate::error::RunnerError;
use crate::publish;
use crate::spans::Recording;
use crate::task_runner::TaskRunner;

/// A start by hand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ManualRequest {
    /// The event name that the handler gets.
    pub event: Option<String>,
    /// The data that the handler gets.
    pub data: Option<Value>,
    /// Names the start: a second one of the task with the same key answers as the first did and does nothing.
    pub idempotency_key: Option<String>,
    /// What led to it; `None` begins a trace with the run.
    pub cause: Option<TraceContext>,
}

impl TaskRunner {
    /// Starts a run now, with the event name and data given. A paused task's run waits until it is resumed.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such task; [`RunnerError::Invalid`] if the data is too large.
    pub async fn run_task(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        event: Option<String>,
        data: Option<Value>,
    ) -> Result<RunId, RunnerError> {
        let request = ManualRequest { event, data, ..ManualRequest::default() };
        self.start_task(tenant, id, request).await
    }

    /// As [`TaskRunner::run_task`]; a start that names itself with a key that was used for the task within the last
    /// seven days answers with the run of that time, and does nothing.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such task; [`RunnerError::Invalid`] with what is wrong with the request.
    pub async fn start_task(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        request: ManualRequest,
    ) -> Result<RunId, RunnerError> {
        let (runner, tenant, id) = (self.clone(), tenant.clone(), id.clone());
        self.0.finish(async move { runner.start_task_now(&tenant, &id, request).await }).await
    }

    async fn start_task_now(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        request: ManualRequest,
    ) -> Result<RunId, RunnerError> {
        self.refuse_when_stopping()?;
        let shared = &self.0;
        let ManualRequest { event, data, idempotency_key, cause } = request;
        if let Some(problem) = idempotency_key.as_deref().and_then(publish::wrong_key) {
            return Err(RunnerError::Invalid(vec![problem]));
        }
        if let Some(Err(error)) = event.as_ref().map(|event| event.parse::<EventName>()) {
            let problem = FieldError::new("event", "invalid_event_name", error.to_string());
            return Err(RunnerError::Invalid(vec![problem]));
        }
        let data = data.filter(|data| !data.is_null()).map(|data| data.to_string());
        let max = shared.config.event_data_bytes_max;
        if let Some(bytes) = data.as_ref().map(String::len).filter(|bytes| *bytes > max) {
            let message = format!("is {bytes} bytes; at most {max} are taken");
            return Err(RunnerError::Invalid(vec![FieldError::new("data", "too_large", message)]));
        }
        let kept = shared.open_tenant(tenant)?;
        let given = event.as_ref().map_or(0, String::len) + data.as_ref().map_or(0, String::len);
        let stored_bytes = u64::try_from(given).unwrap_or(u64::MAX);
        let more = TenantUsage { stored_bytes, ..TenantUsage::default() };
        shared.admit_stored(&kept, more).await?;
        let _room = shared.room(&kept, 1)?;
        let run_id = shared.ids.next(RunId::new);
        let recording = Recording::begin(shared, cause);
        let trace = recording.trace.clone();
        let manual = ManualRun { task_id: id.clone(), run_id, event, data, trace };
        let now = shared.clock.now();
        let started = match idempotency_key {
            Some(key) => shared.store.record_manual_once(tenant, manual, key, now).await?,
            None => shared.store.record_manual(tenant, manual, now).await?.map(ManualStart::Recorded),
        };
        match started {
            Some(ManualStart::Recorded(queued)) => {
                kept.meters.add(more);
                tell(&queued, recording.trace.as_ref());
                recording.end(shared, Some(tenant), iter::once((tenant, id, run_id)));
                shared.enqueue(Some(queued));
            }
            Some(ManualStart::Repeated(run_id)) => return Ok(run_id),
            None => return Err(self.no_such_task(tenant, id).await),
        }
        Ok(run_id)
    }
}

fn tell(run: &QueuedRun, cause: Option<&TraceContext>) {
    let QueuedRun { tenant, task_id, run_id, .. } = run;
    let trace_id = cause.map_or_else(|| TraceId::of_run(*run_id), |cause| cause.trace_id);
    tracing::info!(%tenant, %task_id, %run_id, %trace_id, "run.started_by_hand");
}
