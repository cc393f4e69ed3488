//! A task as the host keeps it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::alert::Alerts;
use crate::execution::UnknownName;
use crate::id::{Digest, InvalidId, PluginName, TaskId};
use crate::limits::LimitWishes;
use crate::retry::RetryPolicy;
use crate::time::Timestamp;
use crate::topic::TopicPattern;

/// What makes a task run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A named cron pattern.
    Preset {
        /// The preset's name, such as `@daily`.
        preset: String,
        /// The pattern it stands for.
        cron: String,
    },
    /// A cron pattern.
    Cron(String),
    /// One time, as it was written: a local time in the task's zone, or one with its offset.
    At(String),
    /// One time, a delay after the task's creation, as it was written.
    After(String),
    /// Events whose names match.
    OnEvent(TopicPattern),
}

impl Trigger {
    /// The cron pattern, for the triggers that repeat.
    #[must_use]
    pub fn cron(&self) -> Option<&str> {
        match self {
            Self::Preset { cron, .. } | Self::Cron(cron) => Some(cron),
            Self::At(_) | Self::After(_) | Self::OnEvent(_) => None,
        }
    }

    /// Whether the task runs once and is then cleaned up.
    #[must_use]
    pub fn is_one_off(&self) -> bool {
        matches!(self, Self::At(_) | Self::After(_))
    }

    /// The task type that goes with the trigger.
    #[must_use]
    pub fn task_type(&self) -> TaskType {
        match self {
            Self::OnEvent(_) => TaskType::Event,
            Self::Preset { .. } | Self::Cron(_) | Self::At(_) | Self::After(_) => TaskType::Schedule,
        }
    }
}

/// The two types of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskType {
    /// Runs at due times.
    Schedule,
    /// Runs on events.
    Event,
}

impl TaskType {
    /// The type's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Event => "event",
        }
    }
}

impl FromStr for TaskType {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = [Self::Schedule, Self::Event].into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "task type"))
    }
}

/// Where a task stands. A paused task that still executes is `running` until the execution ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// Waits for its trigger, or for a retry.
    Pending,
    /// At least one execution is in a sandbox.
    Running,
    /// Paused by somebody.
    Paused,
}

impl TaskStatus {
    /// Every status, in declaration order.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Running, Self::Paused];

    /// The status's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Paused => "paused",
        }
    }
}

impl FromStr for TaskStatus {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "task status"))
    }
}

/// The handler of a task: a plugin, and the version if it is pinned. Written `name` or `name@digest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginRef {
    /// The plugin.
    pub name: PluginName,
    /// The pinned version; `None` means the one active when a run is recorded.
    pub digest: Option<Digest>,
}

impl FromStr for PluginRef {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.split_once('@') {
            Some((name, digest)) => Ok(Self { name: name.parse()?, digest: Some(digest.parse()?) }),
            None => Ok(Self { name: text.parse()?, digest: None }),
        }
    }
}

impl fmt::Display for PluginRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.digest {
            Some(digest) => write!(out, "{}@{digest}", self.name),
            None => self.name.fmt(out),
        }
    }
}

/// How a rate limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateStrategy {
    /// Windows follow one another; each starts with the first execution after the one before it ended.
    #[default]
    Fixed,
    /// The window is always the interval just past.
    Sliding,
}

/// What happens to a run over its task's rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateOverflow {
    /// It is held until the window allows it.
    #[default]
    Delay,
    /// It ends without being executed, and is counted as skipped.
    Drop,
}

/// What happens when a task is to run while an earlier run of it is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Overlap {
    /// The new one is skipped. The default of schedules.
    Skip,
    /// The new one waits for its turn, in place of one that waits already.
    Queue,
    /// The earlier ones are cancelled.
    CancelPrevious,
    /// They run side by side. The default of event tasks.
    Allow,
}

impl Overlap {
    /// Every policy, in declaration order.
    pub const ALL: [Self; 4] = [Self::Skip, Self::Queue, Self::CancelPrevious, Self::Allow];

    /// The policy's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::CancelPrevious => "cancelPrevious",
            Self::Allow => "allow",
        }
    }

    /// The policy of a task that names none.
    #[must_use]
    pub fn default_for(trigger: &Trigger) -> Self {
        match trigger {
            Trigger::Preset { .. } | Trigger::Cron(_) => Self::Skip,
            // The one due time of a one-off must not get lost to a manual start.
            Trigger::At(_) | Trigger::After(_) => Self::Queue,
            Trigger::OnEvent(_) => Self::Allow,
        }
    }
}

impl FromStr for Overlap {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "overlap policy"))
    }
}

/// What happens to due times that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Misfire {
    /// The latest fires, if it is at most 24 hours old.
    #[default]
    RunOnce,
    /// None fires.
    Skip,
    /// All fire, but only the latest hundred.
    CatchUp,
}

impl Misfire {
    /// Every policy, in declaration order.
    pub const ALL: [Self; 3] = [Self::RunOnce, Self::Skip, Self::CatchUp];

    /// The policy's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunOnce => "runOnce",
            Self::Skip => "skip",
            Self::CatchUp => "catchUp",
        }
    }
}

impl FromStr for Misfire {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "misfire policy"))
    }
}

/// How many executions a task may have per interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// The window's length.
    #[serde(with = "crate::time::millis", rename = "intervalMs")]
    pub interval: Duration,
    /// Executions per window; at least 1.
    pub limit: u32,
    /// How the window moves.
    pub strategy: RateStrategy,
    /// What happens to a run over the limit.
    pub overflow: RateOverflow,
}

/// What a task is: everything but where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskDefinition {
    /// Unique among the tenant's tasks.
    pub id: TaskId,
    /// A name for people.
    pub name: Option<String>,
    /// What makes it run.
    pub trigger: Trigger,
    /// IANA name of its time zone.
    pub timezone: String,
    /// Its handler.
    pub plugin: PluginRef,
    /// Its retry policy.
    pub retry: RetryPolicy,
    /// Its rate limit, if it has one.
    pub rate_limit: Option<RateLimit>,
    /// What happens when it is to run while it runs.
    pub overlap: Overlap,
    /// What happens to due times that were missed.
    pub misfire: Misfire,
    /// How many of its executions may run at once; `None` means the host's limit.
    pub concurrency: Option<u32>,
    /// Its limits, where they are narrower than the host's.
    pub limits: LimitWishes,
    /// What it wants told of what did not happen.
    pub alerts: Alerts,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Data for the handler, as JSON text.
    pub metadata: Option<Arc<str>>,
}

/// A task with where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// What it is.
    pub definition: TaskDefinition,
    /// Where it stands.
    pub status: TaskStatus,
    /// The next due time; `None` for event tasks and spent one-offs.
    pub next_run_at: Option<Timestamp>,
    /// The last due time that was decided, as fired or as skipped; a one-off that has one is spent.
    pub cursor: Option<Timestamp>,
    /// When its latest execution started.
    pub last_run_at: Option<Timestamp>,
    /// The attempt number of the run in progress; 0 if none is.
    pub attempts: u32,
    /// Executions in the current rate window.
    pub rate_count: u32,
    /// Start of the current rate window.
    pub rate_window: Option<Timestamp>,
    /// Why the host has paused it; `None` if it is not paused, or somebody else did.
    pub pause_reason: Option<String>,
    /// Since when it has not succeeded although it was expected to, once that was told.
    pub overdue_since: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// How often it was defined, paused or resumed, its creation included.
    pub revision: u64,
}

impl Task {
    /// Names the definition, as a precondition knows it: it changes with the definition, and is another one if the task
    /// is deleted and created again.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{:x}-{}", self.created_at.as_millis(), self.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_reference_may_pin_a_version() {
        let digest = Digest::of(b"x");
        let pinned = format!("greeter@{digest}");
        let parsed: PluginRef = pinned.parse().expect("a valid reference");
        assert_eq!(parsed.digest, Some(digest));
        assert_eq!(parsed.to_string(), pinned);
        assert_eq!("greeter".parse::<PluginRef>().expect("a valid reference").digest, None);
        assert!("greeter@abc".parse::<PluginRef>().is_err());
    }
}
