//! What answers about the audit trail, about runs that are repeated and about due times look like.

use innkeeper_model::execution::{self, ExecutionStatus, FailureKind, LogLine, Receipt};
use innkeeper_model::id::{Digest, ExecutionId, PluginName, RunId, TaskId};
use innkeeper_model::progress::Progress;
use innkeeper_model::run::TriggerKind;
use innkeeper_model::time::Timestamp;
use innkeeper_model::trace::TraceId;
use innkeeper_runner::{self as runner, bus};
use innkeeper_store::{self as store};
use serde::Serialize;
use utoipa::ToSchema;

use super::Page;
use crate::openapi::values;

/// One row of the audit trail: the specification's columns, then ours.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Execution {
    #[schema(value_type = values::ExecutionId)]
    id: ExecutionId,
    #[schema(value_type = values::TaskId)]
    task_id: TaskId,
    #[schema(value_type = values::ExecutionStatusName)]
    status: ExecutionStatus,
    #[schema(value_type = values::Instant)]
    started_at: Timestamp,
    #[schema(value_type = Option<values::Instant>)]
    completed_at: Option<Timestamp>,
    error: Option<String>,
    attempt: u32,
    #[schema(value_type = values::RunId)]
    run_id: RunId,
    #[schema(value_type = Option<values::FailureName>)]
    kind: Option<FailureKind>,
    #[schema(value_type = values::TriggerName)]
    trigger: TriggerKind,
    event: Option<String>,
    #[schema(value_type = Option<values::Instant>)]
    scheduled_at: Option<Timestamp>,
    #[serde(serialize_with = "innkeeper_model::event::raw_json")]
    #[schema(value_type = values::AnyJson)]
    output: Option<String>,
    #[schema(value_type = Option<values::Receipt>)]
    receipt: Option<Receipt>,
    #[schema(value_type = values::PluginName)]
    plugin: PluginName,
    #[schema(value_type = values::Digest)]
    plugin_digest: Digest,
    #[schema(value_type = values::TraceId)]
    trace_id: TraceId,
}

impl From<execution::Execution> for Execution {
    fn from(execution: execution::Execution) -> Self {
        Self {
            id: execution.id,
            task_id: execution.task_id,
            status: execution.status,
            started_at: execution.started_at,
            completed_at: execution.completed_at,
            error: execution.error,
            attempt: execution.attempt,
            run_id: execution.run_id,
            kind: execution.kind,
            trigger: execution.trigger,
            event: execution.event,
            scheduled_at: execution.scheduled_at,
            output: execution.output,
            receipt: execution.receipt,
            plugin: execution.plugin,
            plugin_digest: execution.plugin_digest,
            trace_id: execution.trace_id,
        }
    }
}

/// An execution, and what became of its run if that failed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrailEntry {
    #[serde(flatten)]
    execution: Execution,
    /// Whether its run ended as failed with it.
    r#final: bool,
    /// The run that its run repeats.
    #[schema(value_type = Option<values::RunId>)]
    replay_of: Option<RunId>,
    /// The run that repeats its run.
    #[schema(value_type = Option<values::RunId>)]
    replayed_by: Option<RunId>,
    /// How far it says it is; `null` if it says nothing, or does not run any more.
    #[schema(value_type = Option<values::Progress>)]
    progress: Option<Progress>,
}

impl TrailEntry {
    /// What is kept of an execution, and what it says of itself if it runs.
    pub(crate) fn new(entry: store::TrailEntry, progress: Option<Progress>) -> Self {
        Self {
            execution: entry.execution.into(),
            r#final: entry.ends_run,
            replay_of: entry.replay_of,
            replayed_by: entry.replayed_by,
            progress,
        }
    }
}

/// An execution that ended, as streams tell it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExecutionEnded {
    #[serde(flatten)]
    entry: TrailEntry,
    /// What it logged, in order.
    #[schema(value_type = Vec<values::LogLine>)]
    logs: Vec<LogLine>,
}

impl From<&bus::ExecutionEnded> for ExecutionEnded {
    fn from(ended: &bus::ExecutionEnded) -> Self {
        let entry = TrailEntry {
            execution: ended.execution.clone().into(),
            r#final: ended.ends_run,
            replay_of: ended.replay_of,
            // It has only just ended.
            replayed_by: None,
            progress: None,
        };
        Self { entry, logs: ended.logs.clone() }
    }
}

/// A run that repeats another one.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repeated {
    #[schema(value_type = values::RunId)]
    run_id: RunId,
    #[schema(value_type = values::RunId)]
    replay_of: RunId,
}

impl From<runner::Repeated> for Repeated {
    fn from(repeated: runner::Repeated) -> Self {
        Self { run_id: repeated.run_id, replay_of: repeated.replay_of }
    }
}

/// What came of running failed runs again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedriveAnswer {
    /// Failed runs that the filter let through, up to the limit.
    matched: u32,
    /// Those of them that run again.
    redriven: u32,
    /// Those of them that cannot: the event that made them, and its data, are not kept any more.
    events_gone: u32,
    /// Whether there may be more.
    more: bool,
    dry_run: bool,
}

impl RedriveAnswer {
    pub(crate) fn new(report: runner::RedriveReport, dry_run: bool) -> Self {
        let runner::RedriveReport { matched, redriven, events_gone, is_more: more } = report;
        Self { matched, redriven, events_gone, more, dry_run }
    }
}

/// A due time of a task.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DueTime {
    #[schema(value_type = values::Instant)]
    at: Timestamp,
    #[schema(value_type = values::TaskId)]
    task_id: TaskId,
    #[schema(value_type = values::PluginName)]
    plugin: PluginName,
}

impl From<runner::DueTime> for DueTime {
    fn from(due: runner::DueTime) -> Self {
        Self { at: due.at, task_id: due.task_id, plugin: due.plugin }
    }
}

/// The due times of a window.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Upcoming {
    #[serde(flatten)]
    pub(crate) page: Page<DueTime>,
    #[schema(value_type = values::Instant)]
    pub(crate) from: Timestamp,
    #[schema(value_type = values::Instant)]
    pub(crate) until: Timestamp,
    /// Up to when all tasks were considered; `null` means the whole window.
    #[schema(value_type = Option<values::Instant>)]
    pub(crate) complete_until: Option<Timestamp>,
}
