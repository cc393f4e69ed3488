//! Values without parts: what they look like. Answers are written from the types of the model, which know nothing of
//! this description; here stand their namesakes.

use innkeeper_model::access::Role;
use innkeeper_model::execution::FailureKind;
use innkeeper_model::rollout::Capability;
use innkeeper_model::task::TaskStatus;
use innkeeper_store::SkipReason;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::{Object, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! values {
    ($($name:ident = $schema:tt;)*) => {
        $(
            pub(crate) enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    Object::new().into()
                }
            }

            impl ToSchema for $name {}
        )*

        /// The schema of each.
        pub(super) fn values() -> Vec<(&'static str, Value)> {
            vec![$((stringify!($name), json!($schema))),*]
        }
    };
}

values! {
    Instant = {"type": "string", "format": "date-time", "description": "RFC 3339, in UTC, with milliseconds.",
        "examples": ["2025-09-01T15:00:00.000Z"]};
    Duration = {"type": "string", "description": "A duration such as `500ms`, `30s`, `5m`, `1h30m` or `1d`.",
        "examples": ["1h30m"]};
    TaskId = {"type": "string", "minLength": 1, "maxLength": 200,
        "description": "Printable characters without white space or `/`.", "examples": ["weekly:report"]};
    PluginName = {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$", "examples": ["greeter"]};
    PluginReference = {"type": "string", "description": "`name`, or `name@digest` for one version.",
        "examples": ["greeter"]};
    Digest = {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256, in hexadecimal digits."};
    ExecutionId = {"type": "string", "format": "uuid"};
    RunId = {"type": "string", "format": "uuid", "description": "The same for all attempts of a run."};
    EventId = {"type": "string", "format": "uuid"};
    TraceId = {"type": "string", "pattern": "^[0-9a-f]{32}$",
        "description": "The trace that it is part of (W3C Trace Context): its caller's, or else one that began with its run.",
        "examples": ["0af7651916cd43dd8448eb211c80319c"]};
    TaskStatusName = {"type": "string", "enum": (TaskStatus::ALL.map(TaskStatus::as_str))};
    TaskTypeName = {"type": "string", "enum": ["schedule", "event"]};
    BackoffName = {"type": "string", "enum": ["fixed", "exponential"]};
    StrategyName = {"type": "string", "enum": ["fixed", "sliding"]};
    OverflowName = {"type": "string", "enum": ["delay", "drop"]};
    OverlapName = {"type": "string", "enum": ["skip", "queue", "cancelPrevious", "allow"]};
    MisfireName = {"type": "string", "enum": ["runOnce", "skip", "catchUp"]};
    ExecutionStatusName = {"type": "string", "enum": ["running", "success", "failed"]};
    FailureName = {"type": "string", "enum": (FailureKind::ALL.map(FailureKind::as_str))};
    TriggerName = {"type": "string", "enum": ["schedule", "event", "manual"]};
    SkipReasonName = {"type": "string", "enum": (SkipReason::ALL.map(SkipReason::as_str))};
    TenantId = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$", "examples": ["acme"]};
    TenantStatusName = {"type": "string", "enum": ["active", "disabled", "deleting"]};
    TokenId = {"type": "string", "format": "uuid"};
    RoleName = {"type": "string", "enum": (Role::ALL.map(Role::as_str))};
    CapabilityName = {"type": "string", "enum": (Capability::ALL.map(Capability::as_str))};
    Metadata = {"type": ["object", "null"], "description": "What the handler can read of its task."};
    AnyJson = {"description": "Any JSON."};
}

/// How far a running execution says it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Progress {
    /// From 0, when nothing is done, to 1, when all is.
    #[schema(minimum = 0, maximum = 1)]
    fraction: f32,
    /// What it is doing; may be empty.
    #[schema(max_length = 201)]
    note: String,
    /// When it said so.
    #[schema(value_type = Instant)]
    at: String,
}

/// What an execution used.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    /// Units.
    fuel: u64,
    /// Microseconds.
    wall_us: u64,
    /// Microseconds.
    cpu_us: u64,
    memory_bytes_peak: u64,
    /// Calls from the handler into the host.
    host_calls: u64,
    log_bytes: u64,
    /// Over the limit, and not kept.
    log_bytes_dropped: u64,
    key_value_bytes: u64,
    egress_requests: u64,
    egress_bytes: u64,
}

/// One line that a handler logged or printed.
#[derive(Serialize, ToSchema)]
pub(crate) struct LogLine {
    #[schema(value_type = Instant)]
    at: String,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    level: String,
    message: String,
}

/// Counts over the tasks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskStats {
    total: u64,
    pending: u64,
    running: u64,
    paused: u64,
    /// Active repeating schedules.
    scheduled_jobs: u64,
    /// Active timers of one-offs.
    timeouts: u64,
    /// Event tasks, and streams.
    subscribers: u64,
    queued_runs: u64,
    running_runs: u64,
}

/// What retention has deleted since the start.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pruned {
    executions: u64,
    events: u64,
    skips: u64,
}

/// The quotas that hold for a tenant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EffectiveQuotas {
    concurrency: Option<u32>,
    queued_runs: u64,
    /// Of components, key-value data and event data.
    stored_bytes: u64,
    plugins: u64,
    tasks: u64,
    events_per_second: u64,
    uploads_per_hour: u64,
}

/// A bucket of the key-value store.
#[derive(Serialize, ToSchema)]
#[schema(as = Bucket)]
pub(crate) struct BucketSize {
    bucket: String,
    keys: u64,
    /// Of its keys and values.
    bytes: u64,
}

/// A key of a bucket.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeySize {
    key: String,
    /// Bytes of its value.
    size: u64,
}
