//! One attempt of a run, and how it ended.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::Digest;
use crate::time::Timestamp;

/// Why an execution failed. The text of each is part of the API and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The fuel limit was reached.
    FuelExhausted,
    /// The wall-time limit was reached.
    Timeout,
    /// The memory limit was reached.
    MemoryExceeded,
    /// The guest's call stack overflowed.
    StackOverflow,
    /// The handler's result was larger than allowed.
    OutputExceeded,
    /// The handler called the host too often or with too much.
    HostCallLimit,
    /// The guest trapped: a panic, an `unreachable`, an access out of bounds.
    Trap,
    /// The handler returned a retryable error.
    HandlerError,
    /// The handler returned a permanent error; the run ends.
    Permanent,
    /// The host stopped or crashed while the execution ran.
    Interrupted,
    /// Somebody cancelled the execution; the run ends.
    Cancelled,
    /// The plugin version could not be loaded or started.
    Unavailable,
    /// The handler published an event that would have made its chain of events too long; the run ends.
    HopLimit,
    /// The handler failed after it was refused an event beyond its limit.
    EventLimit,
    /// The handler failed after it was refused key-value data beyond its limit.
    KeyValueLimit,
    /// The handler failed after it was refused outgoing requests or bytes beyond its limit.
    EgressLimit,
    /// Somebody else changed a key that the handler had compared; it is attempted again at once.
    Conflict,
    /// What the handler wrote and published would have put its tenant over its quota of stored bytes.
    QuotaExceeded,
}

impl FailureKind {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 18] = [
        Self::FuelExhausted,
        Self::Timeout,
        Self::MemoryExceeded,
        Self::StackOverflow,
        Self::OutputExceeded,
        Self::HostCallLimit,
        Self::Trap,
        Self::HandlerError,
        Self::Permanent,
        Self::Interrupted,
        Self::Cancelled,
        Self::Unavailable,
        Self::HopLimit,
        Self::EventLimit,
        Self::KeyValueLimit,
        Self::EgressLimit,
        Self::Conflict,
        Self::QuotaExceeded,
    ];

    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FuelExhausted => "fuel_exhausted",
            Self::Timeout => "timeout",
            Self::MemoryExceeded => "memory_exceeded",
            Self::StackOverflow => "stack_overflow",
            Self::OutputExceeded => "output_exceeded",
            Self::HostCallLimit => "host_call_limit",
            Self::Trap => "trap",
            Self::HandlerError => "handler_error",
            Self::Permanent => "permanent",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
            Self::Unavailable => "unavailable",
            Self::HopLimit => "hop_limit",
            Self::EventLimit => "event_limit",
            Self::KeyValueLimit => "key_value_limit",
            Self::EgressLimit => "egress_limit",
            Self::Conflict => "conflict",
            Self::QuotaExceeded => "quota_exceeded",
        }
    }

    /// Whether the run ends with this failure, whatever its retry policy.
    #[must_use]
    pub fn ends_run(self) -> bool {
        matches!(self, Self::Permanent | Self::Cancelled | Self::HopLimit)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The text names no value of the enumeration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known {1}")]
pub struct UnknownName(pub String, pub &'static str);

impl FromStr for FailureKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "failure kind"))
    }
}

/// A classified failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its name.
    pub kind: FailureKind,
    /// What a person needs to know: the handler's message, or the limit and its value.
    pub message: String,
    /// The least delay before the next attempt, if the handler asked for one.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure without a wish about the next attempt.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }
}

/// What an execution used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Fuel units consumed. Of a guest that was interrupted while it computed (`timeout`, `cancelled`, `interrupted`,
    /// `host_call_limit`) at least these: what it used since its last call is not known.
    pub fuel: u64,
    /// Wall time in microseconds, instantiation included.
    pub wall_us: u64,
    /// Time the guest was on a processor, in microseconds.
    pub cpu_us: u64,
    /// The largest sum of linear memories and tables, in bytes.
    pub memory_bytes_peak: u64,
    /// Calls from the guest into the host.
    pub host_calls: u64,
    /// Bytes of log text the handler produced, kept or not.
    pub log_bytes: u64,
    /// Bytes of log text that were over the limit and not kept.
    pub log_bytes_dropped: u64,
    /// Bytes of keys and values read and written.
    #[serde(default)]
    pub key_value_bytes: u64,
    /// Outgoing HTTP requests.
    #[serde(default)]
    pub egress_requests: u64,
    /// Bytes of outgoing HTTP requests and their answers.
    #[serde(default)]
    pub egress_bytes: u64,
}

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Finest detail.
    Trace,
    /// For the author.
    Debug,
    /// Ordinary news; what a handler prints to standard output.
    Info,
    /// Something to look at; what a handler prints to standard error.
    Warn,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// The level's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl FromStr for LogLevel {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let all = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];
        let found = all.into_iter().find(|level| level.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "log level"))
    }
}

/// One line a handler logged or printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// Its severity.
    pub level: LogLevel,
    /// The text, without a line end.
    pub message: String,
}

/// Status of an execution: the three values of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    /// In a sandbox now.
    Running,
    /// Ended well.
    Success,
    /// Ended with a failure.
    Failed,
}

impl ExecutionStatus {
    /// The status's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for ExecutionStatus {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let all = [Self::Running, Self::Success, Self::Failed];
        let found = all.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "execution status"))
    }
}

/// One row of the audit trail.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Unique identifier.
    pub id: crate::id::ExecutionId,
    /// The task it belongs to, which may be gone.
    pub task_id: crate::id::TaskId,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When it was claimed.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub completed_at: Option<Timestamp>,
    /// What went wrong, if it failed.
    pub error: Option<String>,
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// The run it is an attempt of.
    pub run_id: crate::id::RunId,
    /// The failure's name, if it failed.
    pub kind: Option<FailureKind>,
    /// What made the run.
    pub trigger: crate::run::TriggerKind,
    /// The event's name, for event and manual runs that carry one.
    pub event: Option<String>,
    /// The due time, for scheduled runs.
    pub scheduled_at: Option<Timestamp>,
    /// The handler's result: JSON text.
    #[serde(serialize_with = "crate::event::raw_json")]
    pub output: Option<String>,
    /// What it used; `None` while it runs or if the host went away.
    pub receipt: Option<Receipt>,
    /// The plugin it ran.
    pub plugin: crate::id::PluginName,
    /// The version it ran.
    pub plugin_digest: Digest,
    /// The trace it is part of: its caller's, or else one that began with its run.
    pub trace_id: crate::trace::TraceId,
}
