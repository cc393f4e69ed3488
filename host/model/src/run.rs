//! A run: one firing of a task, from its recording to its end.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::execution::UnknownName;

/// What made a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TriggerKind {
    /// A due time of a cron pattern or preset, or the one due time of an `at` or `after` task.
    Schedule,
    /// A published event.
    Event,
    /// Somebody asked for it.
    Manual,
}

impl TriggerKind {
    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Event => "event",
            Self::Manual => "manual",
        }
    }
}

impl FromStr for TriggerKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let all = [Self::Schedule, Self::Event, Self::Manual];
        let found = all.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "trigger"))
    }
}

/// How often a crash of the host may interrupt one run before the run ends as failed.
pub const INTERRUPTIONS_MAX: u32 = 3;

/// How often an orderly shutdown may put one run back without using up an attempt.
pub const REQUEUES_MAX: u32 = 5;

/// How often one run may be attempted again because of a conflict without using up an attempt.
pub const CONFLICTS_MAX: u32 = 10;

/// What becomes of a run that was executing when its host went away without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// It is ready again, with this many interruptions counted.
    Ready(u32),
    /// It ends as failed: it may be what brings the host down.
    End,
}

/// Decides what becomes of a run that had been interrupted `interruptions` times before this crash.
#[must_use]
pub fn recover(interruptions: u32) -> Recovery {
    match interruptions.saturating_add(1) {
        count if count >= INTERRUPTIONS_MAX => Recovery::End,
        count => Recovery::Ready(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_interruption_ends_a_run() {
        assert_eq!(recover(0), Recovery::Ready(1));
        assert_eq!(recover(1), Recovery::Ready(2));
        assert_eq!(recover(2), Recovery::End);
    }
}
