//! What to do about due times that were missed: because the host was down, the machine slept, or the clock jumped.
//!
//! A schedule keeps a cursor, the last due time that was decided. [`decide`] settles every due time after it up to now,
//! each exactly once: it fires, or it is part of a skipped range. A due time is missed once it is more than a minute
//! late. How many were skipped is calculated from the field sets: a month of missed seconds costs no more than an hour.

use std::time::Duration;

pub use innkeeper_model::task::Misfire;
use innkeeper_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cron::Schedule;

/// A due time that is later than this is missed.
pub const LATE_MAX: Duration = Duration::from_mins(1);

/// [`Misfire::RunOnce`] fires no missed due time older than this.
pub const RUN_ONCE_AGE_MAX: Duration = Duration::from_hours(24);

/// [`Misfire::CatchUp`] fires at most this many missed due times, the latest ones.
pub const CATCH_UP_COUNT_MAX: usize = 100;

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
    fn settle(
        self,
        schedule: &Schedule,
        now: Timestamp,
        policy: Misfire,
    ) -> (Vec<Timestamp>, Option<SkippedRange>) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::zone::Zone;

    fn schedule(pattern: &str, zone: &str) -> Schedule {
        Schedule::parse(pattern, &zone.parse::<Zone>().expect(zone)).expect(pattern)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    fn hourly(cursor: &str, now: &str, policy: Misfire) -> Decision {
        decide(&schedule("@hourly", "UTC"), at(cursor), at(now), policy)
    }

    #[test]
    fn nothing_due_leaves_the_cursor_alone() {
        let decision = hourly("2025-01-01T10:00:00Z", "2025-01-01T10:59:59.999Z", Misfire::RunOnce);
        assert_eq!(decision.fire, []);
        assert_eq!(decision.skipped, []);
        assert_eq!(decision.cursor, at("2025-01-01T10:00:00Z"));
        assert_eq!(decision.next, Some(at("2025-01-01T11:00:00Z")));
    }

    #[test]
    fn a_due_time_is_on_time_for_a_minute() {
        for policy in [Misfire::RunOnce, Misfire::Skip, Misfire::CatchUp] {
            for now in ["2025-01-01T11:00:00Z", "2025-01-01T11:01:00Z"] {
                let decision = hourly("2025-01-01T10:00:00Z", now, policy);
                assert_eq!(decision.fire, [at("2025-01-01T11:00:00Z")], "{policy:?} {now}");
                assert_eq!(decision.skipped, []);
                assert_eq!(decision.cursor, at("2025-01-01T11:00:00Z"));
                assert_eq!(decision.next, Some(at("2025-01-01T12:00:00Z")));
            }
        }
        let decision = hourly("2025-01-01T10:00:00Z", "2025-01-01T11:01:00.001Z", Misfire::Skip);
        assert_eq!(decision.fire, []);
        assert_eq!(decision.skipped.len(), 1);
    }

    #[test]
    fn run_once_fires_the_latest_missed_and_skips_the_others() {
        let decision = hourly("2025-01-01T10:00:00Z", "2025-01-01T15:30:00Z", Misfire::RunOnce);
        assert_eq!(decision.fire, [at("2025-01-01T15:00:00Z")]);
        let skipped = SkippedRange {
            from: at("2025-01-01T11:00:00Z"),
            to: at("2025-01-01T14:00:00Z"),
            count: 4,
            reason: SkipReason::Superseded,
        };
        assert_eq!(decision.skipped, [skipped]);
        assert_eq!(decision.cursor, at("2025-01-01T15:00:00Z"));
        assert_eq!(decision.next, Some(at("2025-01-01T16:00:00Z")));
    }

    #[test]
    fn run_once_lets_go_of_what_is_older_than_a_day() {
        let daily = schedule("@daily", "UTC");
        let decide_at = |now| decide(&daily, at("2025-01-01T00:00:00Z"), at(now), Misfire::RunOnce);
        assert_eq!(decide_at("2025-01-02T23:59:59Z").fire, [at("2025-01-02T00:00:00Z")]);
        let weekly = schedule("@weekly", "UTC");
        let sunday = at("2025-01-05T00:00:00Z");
        let decide_at = |now| decide(&weekly, at("2025-01-01T00:00:00Z"), at(now), Misfire::RunOnce);
        assert_eq!(decide_at("2025-01-06T00:00:00Z").fire, [sunday]);
        let decision = decide_at("2025-01-06T00:00:00.001Z");
        assert_eq!(decision.fire, []);
        let skipped = SkippedRange { from: sunday, to: sunday, count: 1, reason: SkipReason::TooOld };
        assert_eq!((decision.skipped, decision.cursor), (vec![skipped], sunday));
    }

    #[test]
    fn catch_up_drops_the_oldest_past_a_hundred() {
        let decision = hourly("2025-01-01T00:00:00Z", "2025-01-06T00:30:00Z", Misfire::CatchUp);
        assert_eq!(decision.fire.len(), 100);
        assert_eq!(decision.fire.last(), Some(&at("2025-01-06T00:00:00Z")));
        let skipped = SkippedRange {
            from: at("2025-01-01T01:00:00Z"),
            to: at("2025-01-01T20:00:00Z"),
            count: 20,
            reason: SkipReason::TooMany,
        };
        assert_eq!(decision.skipped, [skipped]);
    }

    #[test]
    fn a_month_of_missed_seconds_is_counted_exactly() {
        let every_second = schedule("* * * * * *", "America/New_York");
        let (cursor, now) = (at("2025-10-15T00:00:00Z"), at("2025-11-15T00:00:00Z"));
        let decision = decide(&every_second, cursor, now, Misfire::Skip);
        assert_eq!(decision.fire.len(), 61);
        assert_eq!(decision.skipped.iter().map(|range| range.count).sum::<u64>(), 31 * 86_400 - 61);
        assert_eq!(decision.cursor, now);
    }

    #[test]
    fn a_cursor_within_the_last_minute_is_not_passed_again() {
        let every_second = schedule("* * * * * *", "UTC");
        let (cursor, now) = (at("2025-01-01T10:00:50Z"), at("2025-01-01T10:01:00.500Z"));
        for policy in [Misfire::RunOnce, Misfire::Skip, Misfire::CatchUp] {
            let decision = decide(&every_second, cursor, now, policy);
            assert_eq!((decision.fire.len(), decision.skipped.len()), (10, 0), "{policy:?}");
            assert_eq!(decision.fire.first(), Some(&at("2025-01-01T10:00:51Z")));
        }
    }

    #[test]
    fn a_clock_that_went_back_repeats_nothing() {
        let decision = hourly("2025-01-01T10:00:00Z", "2025-01-01T08:30:00Z", Misfire::CatchUp);
        assert_eq!((decision.fire.len(), decision.skipped.len()), (0, 0));
        assert_eq!(decision.cursor, at("2025-01-01T10:00:00Z"));
        assert_eq!(decision.next, Some(at("2025-01-01T11:00:00Z")));
    }

    #[test]
    fn the_policy_is_written_in_camel_case() {
        assert_eq!(serde_json::to_string(&Misfire::RunOnce).expect("a name"), "\"runOnce\"");
        assert_eq!(serde_json::from_str::<Misfire>("\"catchUp\"").expect("a name"), Misfire::CatchUp);
        assert_eq!(Misfire::default(), Misfire::RunOnce);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        /// Every due time after the cursor up to now is decided exactly once, in order.
        #[test]
        fn each_due_time_is_decided_once(
            pattern in prop::sample::select(vec![
                "* * * * *", "*/7 * * * *", "30 1 * * *", "0 */2 * * *", "15,45 1-3 * * *", "30 2 * * 0",
            ]),
            // Around the clock change of 2024-11-03T06:00Z, to the millisecond.
            start in 1_730_500_000_000..1_730_620_000_000_i64,
            length in prop_oneof![0..200_000_i64, 0..400_000_000_i64],
            policy in prop::sample::select(vec![Misfire::RunOnce, Misfire::Skip, Misfire::CatchUp]),
        ) {
            let schedule = schedule(pattern, "America/New_York");
            let (cursor, now) = (Timestamp::from_millis(start), Timestamp::from_millis(start + length));
            let decision = decide(&schedule, cursor, now, policy);
            let due: Vec<Timestamp> = std::iter::successors(schedule.next_after(cursor), |due| schedule.next_after(*due))
                .take_while(|due| *due <= now)
                .collect();
            let is_skipped = |due: &Timestamp| decision.skipped.iter().any(|range| (range.from..=range.to).contains(due));
            let (skipped, fired): (Vec<Timestamp>, Vec<Timestamp>) = due.iter().partition(|due| is_skipped(due));
            prop_assert_eq!(&fired, &decision.fire);
            prop_assert_eq!(skipped.len() as u64, decision.skipped.iter().map(|range| range.count).sum::<u64>());
            prop_assert_eq!(decision.cursor, due.last().copied().unwrap_or(cursor));
            let is_missed = |due: &&Timestamp| now.since(**due) > LATE_MAX;
            let missed: Vec<&Timestamp> = due.iter().filter(is_missed).collect();
            let kept_max = match policy {
                Misfire::Skip => 0,
                Misfire::RunOnce => usize::from(missed.last().is_some_and(|due| now.since(**due) <= RUN_ONCE_AGE_MAX)),
                Misfire::CatchUp => CATCH_UP_COUNT_MAX,
            };
            prop_assert_eq!(fired.iter().filter(is_missed).count(), missed.len().min(kept_max));
            prop_assert_eq!(decision.next, schedule.next_after(now));
        }
    }
}
