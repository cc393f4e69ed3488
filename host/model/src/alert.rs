//! Telling what did not happen: when a task counts as overdue. Pure.

use std::time::Duration;

use crate::time::Timestamp;
use crate::topic::EventName;

/// The event that is published when a task has not succeeded for longer than it says.
pub const OVERDUE_EVENT: &str = "task:overdue";

/// The longest time for which a task that is overdue is left alone: a success is seen at the latest after it.
const RECHECK_MAX: Duration = Duration::from_mins(1);

/// What a task wants told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alerts {
    /// Publish [`OVERDUE_EVENT`] if it does not succeed for so long.
    pub expect_within: Option<Duration>,
    /// Publish this event whenever a run of it ends failed.
    pub on_failure: Option<EventName>,
}

/// What is known of a task that is expected to succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// A success is expected within so long of the last one.
    pub within: Duration,
    /// From when on it is expected: the task was created, defined anew or resumed then.
    pub from: Timestamp,
    /// The last success.
    pub last_success: Option<Timestamp>,
    /// Since when it is overdue, if that was told already.
    pub told_since: Option<Timestamp>,
}

/// What becomes of an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// All is well until this instant.
    Fulfilled {
        /// When to look again.
        check_at: Timestamp,
    },
    /// It is overdue, and somebody is to be told.
    Overdue {
        /// The last success, or when one was first expected.
        since: Timestamp,
        /// When to look again.
        check_at: Timestamp,
    },
    /// It is overdue, and that was told.
    StillOverdue {
        /// When to look again.
        check_at: Timestamp,
    },
}

/// Decides whether a task is overdue at `now`. It is told once for each success that it waits for in vain.
#[must_use]
pub fn watch(expectation: &Expectation, now: Timestamp) -> Watch {
    let Expectation { within, from, last_success, told_since } = *expectation;
    let since = last_success.map_or(from, |success| success.max(from));
    let due = since.saturating_add(within);
    let check_at = now.saturating_add(within.min(RECHECK_MAX));
    if now < due {
        Watch::Fulfilled { check_at: due }
    } else if told_since == Some(since) {
        Watch::StillOverdue { check_at }
    } else {
        Watch::Overdue { since, check_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn hourly(last_success: Option<i64>, told_since: Option<i64>) -> Expectation {
        Expectation {
            within: Duration::from_hours(1),
            from: at(0),
            last_success: last_success.map(at),
            told_since: told_since.map(at),
        }
    }

    #[test]
    fn a_task_is_overdue_once_its_time_is_over() {
        assert_eq!(watch(&hourly(None, None), at(3599)), Watch::Fulfilled { check_at: at(3600) });
        let overdue = Watch::Overdue { since: at(0), check_at: at(3660) };
        assert_eq!(watch(&hourly(None, None), at(3600)), overdue);
        assert_eq!(watch(&hourly(None, Some(0)), at(7200)), Watch::StillOverdue { check_at: at(7260) });
    }

    #[test]
    fn a_success_begins_it_anew() {
        assert_eq!(watch(&hourly(Some(7000), Some(0)), at(7200)), Watch::Fulfilled { check_at: at(10_600) });
        let again = Watch::Overdue { since: at(7000), check_at: at(10_660) };
        assert_eq!(watch(&hourly(Some(7000), Some(0)), at(10_600)), again, "told anew for each success");
    }

    #[test]
    fn a_success_before_it_was_expected_does_not_count() {
        let resumed = Expectation { from: at(9000), ..hourly(Some(100), None) };
        assert_eq!(watch(&resumed, at(9001)), Watch::Fulfilled { check_at: at(12_600) });
    }

    #[test]
    fn a_short_expectation_is_looked_at_as_often_as_it_says() {
        let quick = Expectation { within: Duration::from_secs(5), ..hourly(None, Some(0)) };
        assert_eq!(watch(&quick, at(100)), Watch::StillOverdue { check_at: at(105) });
    }
}
