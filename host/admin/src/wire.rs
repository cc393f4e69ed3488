//! What answers look like in JSON: the specification's names, then ours.
//!
//! These are not the types that the host works with; each is made from one. Values without parts of their own (ids,
//! instants, names of states, receipts, log lines) are written as the model writes them.

mod operations;
mod quarantine;
mod trail;
mod versions;

use innkeeper_model::id::{Digest, EventId, PluginName, RunId, TaskId};
use innkeeper_model::limits::Limits;
use innkeeper_model::retry::{self, Backoff};
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
use utoipa::ToSchema;

use crate::openapi::values;

pub(crate) use trail::{DueTime, ExecutionEnded, RedriveAnswer, Repeated, TrailEntry, Upcoming};

pub(crate) use self::operations::{Admitted, Database};
use self::quarantine::Quarantine;
pub(crate) use self::versions::{RolledOut, Trial, Version, VersionState};
use crate::limits::EffectiveLimits;

/// A page of a list.
#[derive(Serialize, ToSchema)]
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

    /// Some of a list, and where it goes on.
    pub(crate) fn part<S: Into<T>>(items: Vec<S>, next_cursor: Option<String>) -> Self {
        Self { items: items.into_iter().map(Into::into).collect(), next_cursor }
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
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    #[schema(value_type = values::TaskId)]
    id: TaskId,
    name: Option<String>,
    #[schema(value_type = values::TaskTypeName)]
    r#type: TaskType,
    preset: Option<String>,
    cron: Option<String>,
    at: Option<String>,
    timezone: String,
    #[schema(value_type = Option<values::Instant>)]
    next_run_at: Option<Timestamp>,
    #[schema(value_type = Option<values::Instant>)]
    last_run_at: Option<Timestamp>,
    attempts: u32,
    max_attempts: u32,
    rate_count: u32,
    #[schema(value_type = Option<values::Instant>)]
    rate_window: Option<Timestamp>,
    #[schema(value_type = values::TaskStatusName)]
    status: TaskStatus,
    is_paused: bool,
    #[schema(value_type = values::Metadata)]
    metadata: Option<Box<RawValue>>,
    #[schema(value_type = values::Instant)]
    created_at: Timestamp,
    /// Why the host has paused it; `null` if it is not paused, or somebody else did.
    pause_reason: Option<String>,
    on_event: Option<String>,
    #[schema(value_type = Option<values::Duration>)]
    after: Option<String>,
    #[schema(value_type = values::PluginReference)]
    plugin: String,
    retry_policy: RetryPolicy,
    rate_limit: Option<RateLimit>,
    #[schema(value_type = values::OverlapName)]
    overlap: Overlap,
    #[schema(value_type = values::MisfireName)]
    misfire: Misfire,
    /// `null` means the host's.
    concurrency: Option<u32>,
    /// Executions at once, as it is enforced: what the host, the tenant, the plugin and the task allow together.
    effective_concurrency: u32,
    limits: EffectiveLimits,
    #[schema(value_type = Option<values::Duration>)]
    expect_within: Option<String>,
    #[schema(value_type = Option<String>)]
    on_failure: Option<EventName>,
    /// Since when a success that was expected is late.
    #[schema(value_type = Option<values::Instant>)]
    overdue_since: Option<Timestamp>,
}

/// A task, and what it waits for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskAndWhy {
    #[serde(flatten)]
    pub(crate) task: Task,
    /// In words, for people.
    pub(crate) waiting_for: String,
}

impl Task {
    /// A task whose executions have these limits, so many of them at once.
    pub(crate) fn new(task: task::Task, limits: Limits, effective_concurrency: u32) -> Self {
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
            effective_concurrency,
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
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RetryPolicy {
    max_attempts: u32,
    #[schema(value_type = values::Duration)]
    delay: String,
    #[schema(value_type = values::BackoffName)]
    backoff: Backoff,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<values::Duration>)]
    max_retry_duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<values::Duration>)]
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
#[derive(Serialize, ToSchema)]
struct RateLimit {
    #[schema(value_type = values::Duration)]
    interval: String,
    limit: u32,
    #[schema(value_type = values::StrategyName)]
    strategy: RateStrategy,
    #[schema(value_type = values::OverflowName)]
    overflow: RateOverflow,
}

impl From<task::RateLimit> for RateLimit {
    fn from(rate: task::RateLimit) -> Self {
        let (strategy, overflow) = (rate.strategy, rate.overflow);
        Self { interval: format_duration(rate.interval), limit: rate.limit, strategy, overflow }
    }
}

/// The due times of a task.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DueTimes {
    #[serde(flatten)]
    #[schema(value_type = Page<values::Instant>)]
    pub(crate) next: Page<Timestamp>,
    /// The last due time that has passed, whether or not it ran.
    #[schema(value_type = Option<values::Instant>)]
    pub(crate) previous_run_at: Option<Timestamp>,
}

/// What did not run.
#[derive(Serialize, ToSchema)]
pub(crate) struct Skip {
    #[schema(value_type = values::SkipReasonName)]
    reason: SkipReason,
    #[schema(value_type = values::Instant)]
    from: Timestamp,
    #[schema(value_type = values::Instant)]
    to: Timestamp,
    count: u64,
}

impl From<store::Skip> for Skip {
    fn from(skip: store::Skip) -> Self {
        Self { reason: skip.reason, from: skip.from, to: skip.to, count: skip.count }
    }
}

/// A run that somebody started.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Started {
    #[schema(value_type = values::RunId)]
    pub(crate) run_id: RunId,
}

/// What became of a published event.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Published {
    #[schema(value_type = values::EventId)]
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
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plugin {
    #[schema(value_type = values::PluginName)]
    name: PluginName,
    /// Of the active version, as what follows; `null` if nothing was activated yet.
    #[schema(value_type = Option<values::Digest>)]
    digest: Option<Digest>,
    size: Option<u64>,
    imports: Vec<String>,
    #[schema(value_type = values::Instant)]
    created_at: Timestamp,
    #[schema(value_type = values::Instant)]
    updated_at: Timestamp,
    quarantine: Option<Quarantine>,
}

impl From<store::Plugin> for Plugin {
    fn from(plugin: store::Plugin) -> Self {
        Self {
            quarantine: plugin.quarantine.map(|quarantine| Quarantine::new(&plugin.name, quarantine)),
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
#[derive(Serialize, ToSchema)]
pub(crate) struct Released {
    /// The tasks that were paused for it.
    #[schema(value_type = Vec<values::TaskId>)]
    pub(crate) resumed: Vec<TaskId>,
}

/// A named schedule.
#[derive(Serialize, ToSchema)]
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
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Preview {
    #[schema(value_type = Vec<values::Instant>)]
    pub(crate) next: Vec<Timestamp>,
    /// The latest first.
    #[schema(value_type = Vec<values::Instant>)]
    pub(crate) previous: Vec<Timestamp>,
}

/// The runner's counts, and what host this is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats {
    #[serde(flatten)]
    #[schema(value_type = values::TaskStats)]
    pub(crate) tasks: TaskStats,
    /// For the operator: it says how much all tenants keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<Database>,
    pub(crate) version: &'static str,
    /// The release of the time zone database in use.
    pub(crate) timezone_data: String,
}

/// The answer to a probe.
#[derive(Serialize, ToSchema)]
pub(crate) struct Condition {
    pub(crate) status: &'static str,
}
