//! What to do about due times that were missed: because the host was down, the machine slept, or the clock jumped.
//!
//! A schedule keeps a cursor, the last due time that was decided. [`decide`] settles every due time after it up to now,
//! each exactly once: it fires, or it is part of a skipped range. A due time is missed once it is more than a minute
//! late. How many were skipped is calculated from the field sets: a month of missed seconds costs no more than an hour.

use std::time::Duration;

use innkeeper_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cron::Schedule;

/// A due time that is later than this is missed.
pub const LATE_MAX: Duration = Duration::from_secs(60);

/// [`Misfire::RunOnce`] fires no missed due time older than this.
pub const RUN_ONCE_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// [`Misfire::CatchUp`] fires at most this many missed due times, the latest ones.
pub const CATCH_UP_COUNT_MAX: usize = 100;

/// What a task wants done about missed due times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Misfire {
    /// Fire the latest missed due time, if it is at most 24 hours old, and skip the others.
    #[default]
    RunOnce,
    /// Skip all.
    Skip,
    /// Fire all, oldest first, but only the latest hundred.
    CatchUp,
}

/// Why due times were skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SkipReason {
    /// The task wants missed due times skipped.
    Policy,
    /// A later missed due time fires in their place.
    Superseded,
    /// Even the latest one is older than 24 hours.
    TooOld,
    /// More than a hundred were missed.
    TooMany,
}

/// Consecutive due times that do not fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedRange {
    /// The first of them.
    pub from: Timestamp,
    /// The last of them.
    pub to: Timestamp,
    /// How many there are, both ends included.
    pub count: u64,
    /// Why.
    pub reason: SkipReason,
}

/// What becomes of the due times up to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The due times to fire, oldest first: missed ones that the policy wants, then those that are on time.
    pub fire: Vec<Timestamp>,
    /// The due times to skip, oldest first.
    pub skipped: Vec<SkippedRange>,
    /// The last due time that is now decided: where the next decision starts from.
    pub cursor: Timestamp,
    /// The first due time that is not decided yet, after now; `None` if there is none.
    pub next: Option<Timestamp>,
}

/// Decides every due time of `schedule` after `cursor` and not after `now`. If the clock went back behind the cursor,
/// nothing is due until it has passed it again.
#[must_use]
pub fn decide(schedule: &Schedule, cursor: Timestamp, now: Timestamp, policy: Misfire) -> Decision {
    let late_from = now.saturating_sub(LATE_MAX);
    let on_time_after = cursor.max(just_before(late_from));
    let on_time = schedule.due_between(on_time_after, now);
    let missed = schedule.missed_between(cursor, late_from);
    let (mut fire, skipped) = match missed {
        Some(missed) => missed.settle(schedule, now, policy),
        None => (Vec::new(), None),
    };
    fire.extend(&on_time);
    let decided = on_time.last().copied().or(missed.map(|missed| missed.last));
    Decision {
        fire,
        skipped: skipped.into_iter().collect(),
        cursor: decided.unwrap_or(cursor),
        next: schedule.next_after(now.max(cursor)),
    }
}

/// The first and the last due time that were missed.
#[derive(Clone, Copy)]
struct Missed {
    first: Timestamp,
    last: Timestamp,
}

impl Missed {
    /// The missed due times to fire and the range to skip.
    fn settle(self, schedule: &Schedule, now: Timestamp, policy: Misfire) -> (Vec<Timestamp>, Option<SkippedRange>) {
        let (kept_max, reason) = match policy {
            Misfire::Skip => (0, SkipReason::Policy),
            Misfire::RunOnce if now.since(self.last) > RUN_ONCE_AGE_MAX => (0, SkipReason::TooOld),
            Misfire::RunOnce => (1, SkipReason::Superseded),
            Misfire::CatchUp => (CATCH_UP_COUNT_MAX, SkipReason::TooMany),
        };
        let after_last = Timestamp::from_millis(self.last.as_millis() + 1);
        let mut latest = schedule.previous_n(after_last, kept_max);
        latest.retain(|due| *due >= self.first);
        latest.reverse();
        let skipped_to = match latest.first() {
            Some(oldest_kept) => schedule.previous_before(*oldest_kept).filter(|due| *due >= self.first),
            None => Some(self.last),
        };
        let skipped = skipped_to.map(|to| SkippedRange {
            from: self.first,
            to,
            count: schedule.count_between(self.first, to),
            reason,
        });
        (latest, skipped)
    }
}

impl Schedule {
    /// The due times after `after` up to `until`, both at most a minute or so apart.
    fn due_between(&self, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(after), |due| self.next_after(*due))
            .take_while(|due| *due <= until)
            .collect()
    }

    /// The due times after `after` and before `before`.
    fn missed_between(&self, after: Timestamp, before: Timestamp) -> Option<Missed> {
        let first = self.next_after(after).filter(|due| *due < before)?;
        let last = self.previous_before(before)?;
        Some(Missed { first, last })
    }
}

fn just_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_millis(instant.as_millis() - 1)
}
