//! Which executions, which failed runs, which due times.

use clap::Args;
use innkeeper_model::execution::{ExecutionStatus, FailureKind};
use innkeeper_model::id::{EventId, PluginName, RunId, TaskId};
use innkeeper_model::time::Timestamp;

/// Which executions are meant.
#[derive(Debug, Args)]
pub struct Which {
    /// Only those of this task.
    #[arg(long, value_name = "ID")]
    pub task: Option<TaskId>,
    /// Only those of this plugin.
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<PluginName>,
    /// Only those that failed in this way, such as `timeout`.
    #[arg(long)]
    pub kind: Option<FailureKind>,
    /// Only those of this time or later, such as 2030-12-25T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Only those before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
}

/// Which executions to list.
#[derive(Debug, Args)]
pub struct ListTrail {
    /// Which of them.
    #[command(flatten)]
    pub which: Which,
    /// Only those of this run, which a start by hand or a replay names.
    #[arg(long, value_name = "ID")]
    pub run: Option<RunId>,
    /// Only those that the event of this id led to.
    #[arg(long, value_name = "ID")]
    pub event: Option<EventId>,
    /// Only those that are `running`, `success` or `failed`.
    #[arg(long)]
    pub status: Option<ExecutionStatus>,
    /// Only those with which a run ended as failed that nobody has repeated.
    #[arg(long)]
    pub dead: bool,
    /// At most so many.
    #[arg(long, default_value_t = 20, value_name = "COUNT", value_parser = super::number::at_least_one)]
    pub limit: usize,
}

/// Which failed runs to run again.
#[derive(Debug, Args)]
pub struct Redrive {
    /// Which of them. What somebody cancelled is meant only if `--kind cancelled` says so.
    #[command(flatten)]
    pub which: Which,
    /// At most so many, the oldest first.
    #[arg(long, default_value_t = 1000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Only count them.
    #[arg(long)]
    pub dry_run: bool,
}

/// Which due times to show.
#[derive(Debug, Args)]
pub struct Upcoming {
    /// From when on; now, unless it is given.
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Until when; 24 hours later, unless it is given.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_name = "COUNT", value_parser = super::number::at_least_one)]
    pub limit: usize,
}
