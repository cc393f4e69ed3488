//! What requests say. They are read field by field, so that all that is wrong is told at once; here stands what is right.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::values::{
    AnyJson, BackoffName, Duration, FailureName, Instant, MisfireName, OverflowName, OverlapName, PluginName,
    PluginReference, RoleName, StrategyName, TaskId, TaskTypeName, TenantId,
};

/// A task. Its trigger is exactly one of `preset`, `cron`, `at`, `after` and `onEvent`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "id": "weekly:report", "type": "schedule", "cron": "0 9 * * 1", "timezone": "America/New_York", "plugin": "greeter",
    "retryPolicy": {"maxAttempts": 3, "delay": "30s", "backoff": "exponential"},
}))]
pub(crate) struct TaskConfig {
    #[schema(value_type = TaskId)]
    id: String,
    /// For people.
    name: Option<String>,
    #[schema(value_type = TaskTypeName)]
    r#type: String,
    /// Such as `@daily`.
    preset: Option<String>,
    /// Five, six (seconds first) or seven (year last) fields.
    cron: Option<String>,
    /// An ISO 8601 timestamp, in the task's zone unless it names an offset.
    at: Option<String>,
    #[schema(value_type = Option<Duration>)]
    after: Option<String>,
    /// An IANA name.
    timezone: Option<String>,
    /// An event's name; `*` stands for any characters.
    on_event: Option<String>,
    #[schema(value_type = PluginReference)]
    plugin: String,
    retry_policy: Option<RetryPolicyConfig>,
    rate_limit: Option<RateLimitConfig>,
    /// What becomes of a run while another one is in progress.
    #[schema(value_type = Option<OverlapName>)]
    overlap: Option<String>,
    /// What becomes of due times that were missed.
    #[schema(value_type = Option<MisfireName>)]
    misfire: Option<String>,
    /// Executions of it at once.
    #[schema(minimum = 1)]
    concurrency: Option<u32>,
    limits: Option<LimitsConfig>,
    /// Publish `task:overdue` if it has not succeeded for so long.
    #[schema(value_type = Option<Duration>)]
    expect_within: Option<String>,
    /// Publish this event whenever a run of it ends failed.
    on_failure: Option<String>,
    is_paused: Option<bool>,
    /// Whether `at` may be past; then it runs at once.
    allow_past: Option<bool>,
    /// What the handler can read of its task.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// Whether and when a failed execution is attempted again.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RetryPolicyConfig {
    /// The first one included.
    #[schema(minimum = 1)]
    max_attempts: u32,
    #[schema(value_type = Option<Duration>)]
    delay: Option<String>,
    #[schema(value_type = Option<BackoffName>)]
    backoff: Option<String>,
    /// The window for all attempts.
    #[schema(value_type = Option<Duration>)]
    max_retry_duration: Option<String>,
    #[schema(value_type = Option<Duration>)]
    max_delay: Option<String>,
    /// The share of the delay that chance may take off.
    #[schema(minimum = 0, maximum = 1)]
    jitter: Option<f64>,
}

/// How many executions may start in a time.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RateLimitConfig {
    #[schema(value_type = Duration)]
    interval: String,
    #[schema(minimum = 1)]
    limit: u32,
    #[schema(value_type = Option<StrategyName>)]
    strategy: Option<String>,
    /// What becomes of a run over it.
    #[schema(value_type = Option<OverflowName>)]
    overflow: Option<String>,
}

/// What one execution may use, where that is less than the host allows.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LimitsConfig {
    /// Units.
    #[schema(minimum = 1)]
    fuel: Option<u64>,
    #[schema(value_type = Option<Duration>)]
    timeout: Option<String>,
    /// Bytes.
    #[schema(minimum = 1)]
    memory: Option<u64>,
    /// Bytes of the result.
    output: Option<u64>,
    /// Bytes.
    log: Option<u64>,
    host_calls: Option<u64>,
    /// Events that it publishes.
    events: Option<u64>,
    /// Bytes of key-value data read and written.
    key_value: Option<u64>,
    egress_requests: Option<u64>,
    egress_bytes: Option<u64>,
}

/// What one execution of a plugin may use, and how many there may be at once.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PluginLimitsConfig {
    /// Executions at once, of all its tasks together.
    #[schema(minimum = 1)]
    concurrency: Option<u32>,
    /// Units.
    #[schema(minimum = 1)]
    fuel: Option<u64>,
    #[schema(value_type = Option<Duration>)]
    timeout: Option<String>,
    /// Bytes.
    #[schema(minimum = 1)]
    memory: Option<u64>,
    /// Bytes of the result.
    output: Option<u64>,
    /// Bytes.
    log: Option<u64>,
    host_calls: Option<u64>,
    /// Events that it publishes.
    events: Option<u64>,
    /// Bytes of key-value data read and written.
    key_value: Option<u64>,
    egress_requests: Option<u64>,
    egress_bytes: Option<u64>,
}

/// One event, or several, all or none.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!({"event": "user:logged_in", "data": {"id": 5}}))]
pub(crate) enum Publications {
    One(Publication),
    Several(Vec<Publication>),
}

/// An event to publish.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Publication {
    /// Without white space, control characters and `*`.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\s*]+$")]
    event: String,
    #[schema(value_type = AnyJson, required = false)]
    data: Option<Value>,
    /// A second publication with the same key answers as the first did, and does nothing.
    #[schema(min_length = 1, max_length = 200)]
    idempotency_key: Option<String>,
}

/// What a start by hand gives to the handler.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StartRequest {
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\s*]+$")]
    event: Option<String>,
    #[schema(value_type = AnyJson, required = false)]
    data: Option<Value>,
    /// A second start of the task with the same key answers as the first did, and does nothing. Known for seven days.
    #[schema(min_length = 1, max_length = 200)]
    idempotency_key: Option<String>,
}

/// Which failed runs to run again. What somebody cancelled is meant only if `kind` says so.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"kind": "timeout", "since": "2025-09-01T00:00:00Z", "dryRun": true}))]
pub(crate) struct RedriveRequest {
    #[schema(value_type = Option<TaskId>)]
    task: Option<String>,
    #[schema(value_type = Option<PluginName>)]
    plugin: Option<String>,
    #[schema(value_type = Option<FailureName>)]
    kind: Option<String>,
    /// Only those that ended then or later.
    #[schema(value_type = Option<Instant>)]
    since: Option<String>,
    /// Only those that ended before then.
    #[schema(value_type = Option<Instant>)]
    until: Option<String>,
    /// At most so many, the oldest first; 1000 unless it is given.
    #[schema(minimum = 1, maximum = 10_000)]
    limit: Option<u32>,
    /// Only count them.
    dry_run: Option<bool>,
}

/// A schedule to try: exactly one of `preset`, `cron`, `at` and `after`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"cron": "0 9 * * 1", "timezone": "Europe/London", "count": 3}))]
pub(crate) struct PreviewRequest {
    preset: Option<String>,
    cron: Option<String>,
    at: Option<String>,
    #[schema(value_type = Option<Duration>)]
    after: Option<String>,
    timezone: Option<String>,
    /// From when on; now, unless it is given.
    from: Option<String>,
    /// Due times in each direction.
    #[schema(minimum = 1, maximum = 1000)]
    count: Option<u32>,
}

/// A named schedule.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"cron": "0 22 * * 1-5", "description": "Every evening of a working day"}))]
pub(crate) struct PresetConfig {
    cron: String,
    description: Option<String>,
}

/// Quotas of a tenant; what is left out is the host's.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct QuotasConfig {
    /// Executions at once.
    #[schema(minimum = 1)]
    concurrency: Option<u32>,
    /// Runs that wait.
    queued_runs: Option<u64>,
    /// Of components, key-value data and event data.
    stored_bytes: Option<u64>,
    plugins: Option<u64>,
    tasks: Option<u64>,
    events_per_second: Option<u64>,
    uploads_per_hour: Option<u64>,
}

/// A new tenant.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"id": "acme", "weight": 2, "quotas": {"tasks": 100}}))]
pub(crate) struct TenantConfig {
    #[schema(value_type = TenantId)]
    id: String,
    /// Its share of the starts while several tenants wait.
    #[schema(minimum = 1, maximum = 100)]
    weight: Option<u32>,
    /// The zone of its tasks that name none.
    timezone: Option<String>,
    limits: Option<LimitsConfig>,
    quotas: Option<QuotasConfig>,
}

/// What is to change of a tenant (RFC 7396): `null` brings back the default.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"quotas": {"tasks": 200}, "timezone": null}))]
pub(crate) struct TenantPatch {
    #[schema(minimum = 1, maximum = 100)]
    weight: Option<u32>,
    timezone: Option<String>,
    limits: Option<LimitsConfig>,
    quotas: Option<QuotasConfig>,
}

/// A token to be made. It is good for ever unless `expiresAt` or `expiresIn` says otherwise.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "ci", "role": "writer", "expiresIn": "90d"}))]
pub(crate) struct TokenRequest {
    name: String,
    #[schema(value_type = RoleName)]
    role: String,
    #[schema(value_type = Option<Instant>)]
    expires_at: Option<String>,
    #[schema(value_type = Option<Duration>)]
    expires_in: Option<String>,
}

/// What a plugin may reach. What is left out is not granted.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"http": ["https://api.example.com"], "keyValue": ["counters"], "config": ["api-key"]}))]
pub(crate) struct GrantsConfig {
    /// Destinations such as `https://api.example.com` or `https://*.example.com:8443`.
    http: Option<Vec<String>>,
    /// Buckets.
    key_value: Option<Vec<String>>,
    /// Keys of the configuration.
    config: Option<Vec<String>>,
}

/// A change of what a plugin may reach. What is in both is taken back.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"allow": {"http": ["https://api.example.com"]}, "deny": {"keyValue": ["notes"]}}))]
pub(crate) struct GrantsPatch {
    /// What is granted besides.
    allow: Option<GrantsConfig>,
    /// What is granted no longer.
    deny: Option<GrantsConfig>,
}

/// A configured value.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"value": "s3cret", "secret": true}))]
pub(crate) struct ConfigValue {
    value: String,
    /// Whether it is never shown again.
    secret: Option<bool>,
}

/// Which version of a plugin is to be the active one, and how.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VersionConfig {
    #[schema(value_type = Option<super::values::Digest>)]
    digest: Option<String>,
    /// What the plugin is granted besides.
    allow: Option<GrantsConfig>,
    /// Activate it although it asks for what is not granted; that is denied when it is used.
    without_grants: Option<bool>,
    /// Move the runs that wait to it.
    migrate: Option<bool>,
    /// Only if it does well with this.
    canary: Option<SampleConfig>,
}

/// What a version is tried with: it reads what is stored, as far as that is granted; what it writes and publishes is not applied.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"event": "user:logged_in", "data": {"id": 5}}))]
pub(crate) struct SampleConfig {
    /// None as when a schedule is due.
    event: Option<String>,
    #[schema(value_type = AnyJson, required = false)]
    data: Option<Value>,
    /// That of the task.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// Whether its requests go where they are granted; else all are denied.
    http: Option<bool>,
}
