//! `task`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Subcommand};
use innkeeper_model::execution::ExecutionStatus;
use innkeeper_model::id::TaskId;
use innkeeper_model::task::{TaskStatus, TaskType};
use serde_json::Value;

use super::execution::json;
use super::trail::Upcoming;
use crate::config::parse_bytes;

/// What to do with tasks.
#[derive(Debug, Subcommand)]
pub enum TaskVerb {
    /// Create a task, from a file or from flags.
    Create(Box<Create>),
    /// Define a task anew, or create it, from a file or from flags. What it has counted stays.
    Replace(Box<Create>),
    /// Show when a task is due next.
    NextRuns {
        /// Its id.
        id: TaskId,
        /// How many due times to show.
        #[arg(long, default_value_t = 5, value_name = "COUNT")]
        count: u32,
    },
    /// List what of a task did not run, and why, the newest first.
    Skips {
        /// Its id.
        id: TaskId,
        /// At most so many.
        #[arg(long, default_value_t = 20, value_name = "COUNT")]
        limit: u32,
    },
    /// Show what is due next, over all tasks.
    Upcoming(Upcoming),
    /// List the tasks.
    List(ListTasks),
    /// Show one task.
    Get {
        /// Its id.
        id: TaskId,
    },
    /// Keep a task from running until it is resumed.
    Pause {
        /// Its id.
        id: TaskId,
    },
    /// Let a paused task run again.
    Resume {
        /// Its id.
        id: TaskId,
    },
    /// Delete a task. Its executions can still be looked at.
    Delete {
        /// Its id.
        id: TaskId,
    },
    /// Start a task now.
    Run(Run),
    /// List a task's executions, the newest first.
    Executions(ListExecutions),
}

/// A new task.
#[derive(Debug, Default, Args)]
#[command(group = ArgGroup::new("trigger").args(["file", "cron", "preset", "at", "after", "on_event"]).required(true))]
pub struct Create {
    /// File with the task as JSON or TOML; `-` reads standard input.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["id", "plugin", "name", "timezone",
        "metadata", "max_attempts", "rate_limit", "overlap", "misfire", "concurrency", "fuel", "timeout", "memory",
        "expect_within", "on_failure", "allow_past", "paused"])]
    pub file: Option<PathBuf>,
    /// Its id, unique among the tasks.
    #[arg(long, required_unless_present = "file")]
    pub id: Option<String>,
    /// Its handler: `name`, or `name@digest` for one version.
    #[arg(long, required_unless_present = "file")]
    pub plugin: Option<String>,
    /// Run whenever a cron pattern is due, such as `0 9 * * MON`.
    #[arg(long, value_name = "PATTERN")]
    pub cron: Option<String>,
    /// Run on a named schedule, such as @daily.
    #[arg(long)]
    pub preset: Option<String>,
    /// Run once, at an ISO timestamp such as 2030-12-25T09:00:00.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Run once, after a delay such as 5m.
    #[arg(long, value_name = "DURATION")]
    pub after: Option<String>,
    /// Run on each event with this name; `*` stands for any characters.
    #[arg(long, value_name = "EVENT")]
    pub on_event: Option<String>,
    /// A name for people.
    #[arg(long)]
    pub name: Option<String>,
    /// IANA time zone of the schedule, such as `America/New_York`.
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Data for the handler: a JSON object.
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub metadata: Option<Value>,
    /// Attempts of one run in all, the first included.
    #[arg(long, value_name = "COUNT")]
    pub max_attempts: Option<u32>,
    /// Time between two attempts, such as 30s.
    #[arg(long, value_name = "DURATION", requires = "max_attempts")]
    pub retry_delay: Option<String>,
    /// How the delay grows: `fixed` or `exponential`.
    #[arg(long, requires = "max_attempts")]
    pub backoff: Option<String>,
    /// The longest time between two attempts.
    #[arg(long, value_name = "DURATION", requires = "max_attempts")]
    pub retry_max_delay: Option<String>,
    /// The time within which all attempts start.
    #[arg(long, value_name = "DURATION", requires = "max_attempts")]
    pub retry_window: Option<String>,
    /// The share of the delay, 0 to 1, that chance may take off.
    #[arg(long, value_name = "SHARE", requires = "max_attempts")]
    pub retry_jitter: Option<f64>,
    /// Executions per time, such as `10/1m`.
    #[arg(long, value_name = "COUNT/DURATION", value_parser = rate)]
    pub rate_limit: Option<(u32, String)>,
    /// How the time of the rate limit moves: `fixed` or `sliding`.
    #[arg(long, value_name = "STRATEGY", requires = "rate_limit")]
    pub rate_strategy: Option<String>,
    /// What becomes of a run over the rate limit: `delay` or `drop`.
    #[arg(long, value_name = "OVERFLOW", requires = "rate_limit")]
    pub rate_overflow: Option<String>,
    /// What to do when it is to run while it runs: `skip`, `queue`, `cancelPrevious` or `allow`.
    #[arg(long, value_name = "POLICY")]
    pub overlap: Option<String>,
    /// What to do about due times that were missed: `runOnce`, `skip` or `catchUp`.
    #[arg(long, value_name = "POLICY")]
    pub misfire: Option<String>,
    /// Executions of it at once.
    #[arg(long, value_name = "COUNT")]
    pub concurrency: Option<u32>,
    /// Fuel of one execution, at most.
    #[arg(long, value_name = "UNITS")]
    pub fuel: Option<u64>,
    /// Time of one execution, at most, such as 5s.
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Bytes of memory of one execution, at most, such as 32MiB.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub memory: Option<u64>,
    /// Publish `task:overdue` if it has not succeeded for so long.
    #[arg(long, value_name = "DURATION")]
    pub expect_within: Option<String>,
    /// Publish this event whenever a run of it ends failed.
    #[arg(long, value_name = "EVENT")]
    pub on_failure: Option<String>,
    /// Take a time of `--at` that has passed; it runs at once.
    #[arg(long)]
    pub allow_past: bool,
    /// Create it paused.
    #[arg(long)]
    pub paused: bool,
}

/// Which tasks to list.
#[derive(Debug, Args)]
pub struct ListTasks {
    /// Only those that are `pending`, `running` or `paused`.
    #[arg(long, value_parser = one_of::<TaskStatus, 3>(TaskStatus::ALL.map(TaskStatus::as_str)))]
    pub status: Option<TaskStatus>,
    /// Only those of type `schedule` or `event`.
    #[arg(long = "type", value_name = "TYPE", value_parser = one_of::<TaskType, 2>(["schedule", "event"]))]
    pub task_type: Option<TaskType>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = super::number::at_least_one)]
    pub limit: usize,
}

/// A start by hand.
#[derive(Debug, Args)]
pub struct Run {
    /// The task's id.
    pub id: TaskId,
    /// The event name that the handler sees.
    #[arg(long)]
    pub event: Option<String>,
    /// The data that the handler sees, as JSON.
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub data: Option<Value>,
}

/// Which executions to list.
#[derive(Debug, Args)]
pub struct ListExecutions {
    /// The task's id.
    pub id: TaskId,
    /// Only those that are `running`, `success` or `failed`.
    #[arg(long, value_parser = one_of::<ExecutionStatus, 3>(["running", "success", "failed"]))]
    pub status: Option<ExecutionStatus>,
    /// At most so many.
    #[arg(long, default_value_t = 20, value_name = "COUNT", value_parser = super::number::at_least_one)]
    pub limit: usize,
}

/// Reads one of these names; others are refused with all of them.
pub(super) fn one_of<T, const N: usize>(names: [&'static str; N]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// Reads `32MiB`, or bytes.
fn bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text).map_err(|error| error.to_string())
}

/// Reads `10/1m`.
fn rate(text: &str) -> Result<(u32, String), String> {
    let wrong = || "must be a number and a duration, such as 10/1m".to_owned();
    let (count, interval) = text.split_once('/').ok_or_else(wrong)?;
    Ok((count.trim().parse().map_err(|_| wrong())?, interval.trim().to_owned()))
}
