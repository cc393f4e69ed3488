//! What answers look like in JSON: the specification's names, then ours.
//!
//! These are not the types that the host works with; each is made from one. Values without parts of their own (ids,
//! instants, names of states, receipts, log lines) are written as the model writes them.

mod operations;

use innkeeper_model::execution::{self, ExecutionStatus, FailureKind, Receipt};
use innkeeper_model::id::{Digest, EventId, ExecutionId, PluginName, RunId, TaskId};
use innkeeper_model::limits::Limits;
use innkeeper_model::retry::{self, Backoff};
use innkeeper_model::run::TriggerKind;
use innkeeper_model::task::{
    self, Misfire, Overlap, RateOverflow, RateStrategy, TaskStatus, TaskType, Trigger,
};
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::EventName;
use innkeeper_runner::TaskStats;
use innkeeper_schedule::duration::format_duration;
use innkeeper_store::{self as store, EventReceipt, SkipReason};
use serde::Serialize;
use serde_json::value::RawValue;

pub(crate) use self::operations::{Admitted, Database};
use crate::limits::EffectiveLimits;

/// A page of a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    items: Vec<T>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A whole list.
    pub(crate) fn whole<S: Into<T>>(items: Vec<S>) -> Self {
        Self { items: items.into_iter().map(Into::into).collect(), next_cursor: None }
    }

    /// The first `limit` of `items`, of which one more was asked for to know whether there are more.
    pub(crate) fn first<S>(
        mut items: Vec<S>,
        limit: u32,
        cursor: impl FnOnce(&S) -> String,
        convert: impl FnMut(S) -> T,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| is_more).map(cursor);
        Self { items: items.into_iter().map(convert).collect(), next_cursor }
    }
}

/// A task: the specification's columns, then what it has beyond them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    id: TaskId,
    name: Option<String>,
    r#type: TaskType,
    preset: Option<String>,
    cron: Option<String>,
    at: Option<String>,
    timezone: String,
    next_run_at: Option<Timestamp>,
    last_run_at: Option<Timestamp>,
    attempts: u32,
    max_attempts: u32,
    rate_count: u32,
    rate_window: Option<Timestamp>,
    status: TaskStatus,
    is_paused: bool,
    metadata: Option<Box<RawValue>>,
    created_at: Timestamp,
    /// Why the host has paused it; `null` if it is not paused, or somebody else did.
    pause_reason: Option<String>,
    on_event: Option<String>,
    after: Option<String>,
    plugin: String,
    retry_policy: RetryPolicy,
    rate_limit: Option<RateLimit>,
    overlap: Overlap,
    misfire: Misfire,
    /// `null` means the host's.
    concurrency: Option<u32>,
    limits: EffectiveLimits,
    expect_within: Option<String>,
    on_failure: Option<EventName>,
    overdue_since: Option<Timestamp>,
}

/// A task, and what it waits for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskAndWhy {
    #[serde(flatten)]
    pub(crate) task: Task,
    /// In words, for people.
    pub(crate) waiting_for: String,
}

impl Task {
    /// A task whose executions have these limits.
    pub(crate) fn new(task: task::Task, limits: Limits) -> Self {
        let definition = task.definition;
        let [preset, at, after, on_event] = trigger_fields(&definition.trigger);
        // Stored metadata is JSON; were it not, the rest of the task would still be worth showing.
        let metadata = definition.metadata.and_then(|text| RawValue::from_string(text.to_string()).ok());
        Self {
            id: definition.id,
            name: definition.name,
            r#type: definition.trigger.task_type(),
            preset,
            cron: definition.trigger.cron().map(str::to_owned),
            at,
            timezone: definition.timezone,
            next_run_at: task.next_run_at,
            last_run_at: task.last_run_at,
            attempts: task.attempts,
            max_attempts: definition.retry.max_attempts,
            rate_count: task.rate_count,
            rate_window: task.rate_window,
            status: task.status,
            is_paused: definition.is_paused,
            metadata,
            created_at: task.created_at,
            pause_reason: task.pause_reason,
            on_event,
            after,
            plugin: definition.plugin.to_string(),
            retry_policy: definition.retry.into(),
            rate_limit: definition.rate_limit.map(Into::into),
            overlap: definition.overlap,
            misfire: definition.misfire,
            concurrency: definition.concurrency,
            limits: limits.into(),
            expect_within: definition.alerts.expect_within.map(format_duration),
            on_failure: definition.alerts.on_failure,
            overdue_since: task.overdue_since,
        }
    }
}

/// `preset`, `at`, `after` and `onEvent`.
fn trigger_fields(trigger: &Trigger) -> [Option<String>; 4] {
    match trigger {
        Trigger::Preset { preset, .. } => [Some(preset.clone()), None, None, None],
        Trigger::Cron(_) => [None, None, None, None],
        Trigger::At(at) => [None, Some(at.clone()), None, None],
        Trigger::After(after) => [None, None, Some(after.clone()), None],
        Trigger::OnEvent(pattern) => [None, None, None, Some(pattern.as_str().to_owned())],
    }
}

/// A retry policy, as it could have been written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RetryPolicy {
    max_attempts: u32,
    delay: String,
    backoff: Backoff,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_retry_duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_delay: Option<String>,
    jitter: f64,
}

impl From<retry::RetryPolicy> for RetryPolicy {
    fn from(policy: retry::RetryPolicy) -> Self {
        Self {
            max_attempts: policy.max_attempts,
            delay: format_duration(policy.delay),
            backoff: policy.backoff,
            max_retry_duration: policy.max_retry_duration.map(format_duration),
            max_delay: policy.max_delay.map(format_duration),
            jitter: policy.jitter,
        }
    }
}

/// A rate limit, as it could have been written.
#[derive(Serialize)]
struct RateLimit {
    interval: String,
    limit: u32,
    strategy: RateStrategy,
    overflow: RateOverflow,
}

impl From<task::RateLimit> for RateLimit {
    fn from(rate: task::RateLimit) -> Self {
        let (strategy, overflow) = (rate.strategy, rate.overflow);
        Self { interval: format_duration(rate.interval), limit: rate.limit, strategy, overflow }
    }
}

/// The due times of a task.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DueTimes {
    #[serde(flatten)]
    pub(crate) next: Page<Timestamp>,
    /// The last due time that has passed, whether or not it ran.
    pub(crate) previous_run_at: Option<Timestamp>,
}

/// What did not run.
#[derive(Serialize)]
pub(crate) struct Skip {
    reason: SkipReason,
    from: Timestamp,
    to: Timestamp,
    count: u64,
}

impl From<store::Skip> for Skip {
    fn from(skip: store::Skip) -> Self {
        Self { reason: skip.reason, from: skip.from, to: skip.to, count: skip.count }
    }
}

/// One row of the audit trail: the specification's columns, then ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Execution {
    id: ExecutionId,
    task_id: TaskId,
    status: ExecutionStatus,
    started_at: Timestamp,
    completed_at: Option<Timestamp>,
    error: Option<String>,
    attempt: u32,
    run_id: RunId,
    kind: Option<FailureKind>,
    trigger: TriggerKind,
    event: Option<String>,
    scheduled_at: Option<Timestamp>,
    #[serde(serialize_with = "innkeeper_model::event::raw_json")]
    output: Option<String>,
    receipt: Option<Receipt>,
    plugin: PluginName,
    plugin_digest: Digest,
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
        }
    }
}

/// A run that somebody started.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Started {
    pub(crate) run_id: RunId,
}

/// What became of a published event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Published {
    event_id: EventId,
    runs: u32,
    /// Whether one with the same idempotency key had been published before: then this one did nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
}

impl From<EventReceipt> for Published {
    fn from(receipt: EventReceipt) -> Self {
        Self { event_id: receipt.id, runs: receipt.runs, repeated: receipt.is_repeated }
    }
}

/// A plugin and its active version.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plugin {
    name: PluginName,
    digest: Digest,
    size: u64,
    imports: Vec<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<store::Plugin> for Plugin {
    fn from(plugin: store::Plugin) -> Self {
        Self {
            name: plugin.name,
            digest: plugin.digest,
            size: plugin.size,
            imports: plugin.imports,
            created_at: plugin.created_at,
            updated_at: plugin.updated_at,
        }
    }
}

/// A plugin that was released from quarantine.
#[derive(Serialize)]
pub(crate) struct Released {
    /// The tasks that were paused for it.
    pub(crate) resumed: Vec<TaskId>,
}

/// A version of a plugin.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Version {
    digest: Digest,
    size: u64,
    imports: Vec<String>,
    created_at: Timestamp,
    is_active: bool,
}

impl From<store::StoredVersion> for Version {
    fn from(version: store::StoredVersion) -> Self {
        let store::StoredVersion { digest, size, imports, created_at, is_active } = version;
        Self { digest, size, imports, created_at, is_active }
    }
}

/// A named schedule.
#[derive(Serialize)]
pub(crate) struct Preset {
    name: String,
    description: String,
    cron: String,
}

impl From<store::Preset> for Preset {
    fn from(preset: store::Preset) -> Self {
        Self { name: preset.name, description: preset.description, cron: preset.cron }
    }
}

/// When a schedule would be due.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Preview {
    pub(crate) next: Vec<Timestamp>,
    /// The latest first.
    pub(crate) previous: Vec<Timestamp>,
}

/// The runner's counts, and what host this is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats {
    #[serde(flatten)]
    pub(crate) tasks: TaskStats,
    pub(crate) database: Database,
    pub(crate) version: &'static str,
    /// The release of the time zone database in use.
    pub(crate) timezone_data: String,
}

/// The answer to a probe.
#[derive(Serialize)]
pub(crate) struct Condition {
    pub(crate) status: &'static str,
}
