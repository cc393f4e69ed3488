//! `execution` and `event`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use innkeeper_model::id::ExecutionId;
use innkeeper_model::topic::{EventName, TopicPattern};
use serde_json::Value;

use super::trail::{ListTrail, Redrive};

/// What to do with an execution.
#[derive(Debug, Subcommand)]
pub enum ExecutionVerb {
    /// Show one execution with its output and what it used.
    Get {
        /// Its id.
        id: ExecutionId,
    },
    /// Stop an execution that is running; its run ends as cancelled.
    Cancel {
        /// Its id.
        id: ExecutionId,
    },
    /// Print what an execution logged.
    Logs {
        /// Its id.
        id: ExecutionId,
        /// Wait for its end first, if it runs: what an execution logs is kept when it ends.
        #[arg(short, long)]
        follow: bool,
    },
    /// List executions of all tasks, the newest first.
    List(ListTrail),
    /// Start a run like the one that ended as failed with an execution: same task, event and data.
    Replay {
        /// The execution's id.
        id: ExecutionId,
    },
    /// Start runs like those that ended as failed and that nobody has repeated.
    Redrive(Redrive),
}

/// What to do with events.
#[derive(Debug, Subcommand)]
pub enum EventVerb {
    /// Publish an event: each task that listens to it runs.
    Publish(Publish),
    /// Print events as they are published, until interrupted.
    Tail(Tail),
}

/// Events to watch.
#[derive(Debug, Args)]
pub struct Tail {
    /// Their names; `*` stands for any characters.
    #[arg(default_value = "*")]
    pub pattern: TopicPattern,
    /// Stop after so many.
    #[arg(long, value_name = "COUNT")]
    pub count: Option<u64>,
}

/// An event to publish, or a file of them.
#[derive(Debug, Args)]
pub struct Publish {
    /// Its name, such as `user:logged_in`.
    #[arg(required_unless_present = "file")]
    pub name: Option<EventName>,
    /// Its data, as JSON.
    #[arg(value_name = "JSON", value_parser = json)]
    pub body: Option<Value>,
    /// Its data, as JSON.
    #[arg(long, value_name = "JSON", value_parser = json, conflicts_with = "body")]
    pub data: Option<Value>,
    /// Publishes once, however often the command is repeated with the same key.
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// A file of events instead, one JSON object a line: {"event": "NAME", "data": …}; `-` is standard input.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["name", "body", "data"])]
    pub file: Option<PathBuf>,
}

/// Reads JSON from the command line.
pub(super) fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("is not JSON: {error}; a string needs quotes of its own, as in '\"text\"'"))
}
