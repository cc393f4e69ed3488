//! `task`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use innkeeper_model::execution::ExecutionStatus;
use innkeeper_model::id::TaskId;
use innkeeper_model::task::{TaskStatus, TaskType};
use serde_json::Value;

use super::execution::json;

/// What to do with tasks.
#[derive(Debug, Subcommand)]
pub enum TaskVerb {
    /// Create a task, from a file or from flags.
    Create(Box<Create>),
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
        "metadata", "max_attempts", "paused"])]
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
    /// Create it paused.
    #[arg(long)]
    pub paused: bool,
}

/// Which tasks to list.
#[derive(Debug, Args)]
pub struct ListTasks {
    /// Only those that are `pending`, `running` or `paused`.
    #[arg(long)]
    pub status: Option<TaskStatus>,
    /// Only those of type `schedule` or `event`.
    #[arg(long = "type", value_name = "TYPE")]
    pub task_type: Option<TaskType>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
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
    #[arg(long)]
    pub status: Option<ExecutionStatus>,
    /// At most so many.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub limit: usize,
}
