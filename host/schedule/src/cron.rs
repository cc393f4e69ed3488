//! Cron patterns: five, six (seconds first) or seven fields (year last), or a preset.
//!
//! The reference is Croner 11 for JavaScript. The `croner` crate is its sibling, but it accepts more than the reference,
//! reads a few forms differently, keeps five kilobytes per pattern, and walks up to a year second by second when nothing
//! matches. So the work is divided:
//!
//! 1. `syntax` checks each field against the reference's grammar and rewrites it in the forms that both agree on;
//! 2. `croner` parses that text and decides which days of a month match (`L`, `W`, `#`, and how day of month and day of
//!    week combine);
//! 3. `compile` keeps its answers as bit sets, and they are searched in bounded time, with the reference's rules for clock
//!    changes: a fixed time (second, minute and hour each one value, without `*` and `/`) in a gap fires at the first
//!    instant after the gap if that has the same date, and a repeated one fires once, at the earlier instant; any other
//!    pattern skips the gap and fires in both passes of a repeated hour.
//!
//! Without a year field a search ends with the year 2999, like the reference's.

mod compile;
mod error;
mod syntax;

use std::fmt;
use std::sync::Arc;

use innkeeper_model::time::Timestamp;

pub use self::error::{CronError, Field};
use crate::calendar::Calendar;
use crate::occurrences::Occurrences;
use crate::zone::Zone;

/// A checked pattern in its time zone, ready to be asked. Cheap to clone.
#[derive(Clone)]
pub struct Schedule {
    compiled: Arc<Compiled>,
    zone: Zone,
}

/// What a pattern means, independent of the zone.
#[derive(Debug)]
struct Compiled {
    pattern: Box<str>,
    calendar: Calendar,
    /// Whether it is a fixed time, see [`crate::occurrences`].
    fixed: bool,
}

impl Schedule {
    /// Reads `pattern`, whose times are wall clock times in `zone`. Presets such as `@daily` are accepted too, in any
    /// letter case.
    ///
    /// # Errors
    ///
    /// [`CronError`] names the field, its value and the remedy. A pattern that never fires in `zone`, such as
    /// `0 0 30 2 *`, is refused; one that only ever fired in the past is not: then [`Schedule::next_after`] says `None`.
    pub fn parse(pattern: &str, zone: &Zone) -> Result<Self, CronError> {
        let compiled = compile::compile(pattern)?;
        let schedule = Self { compiled: Arc::new(compiled), zone: zone.clone() };
        match schedule.next_after(Timestamp::MIN) {
            Some(_) => Ok(schedule),
            None => Err(CronError::NeverFires { pattern: pattern.to_owned() }),
        }
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.compiled.pattern
    }

    /// The zone whose wall clock the pattern speaks of.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The first due time strictly after `instant`; `None` if there is none.
    #[must_use]
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let second = instant.as_millis().div_euclid(1000) + 1;
        self.occurrences().first_from(second).and_then(from_seconds)
    }

    /// The last due time strictly before `instant`; `None` if there is none.
    #[must_use]
    pub fn previous_before(&self, instant: Timestamp) -> Option<Timestamp> {
        let second = (instant.as_millis() - 1).div_euclid(1000);
        self.occurrences().last_until(second).and_then(from_seconds)
    }

    /// The first `count` due times strictly after `instant`, fewer if there are no more.
    #[must_use]
    pub fn next_n(&self, instant: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(instant), |due| self.next_after(*due)).take(count).collect()
    }

    /// The last `count` due times strictly before `instant`, the latest first, fewer if there are no more.
    #[must_use]
    pub fn previous_n(&self, instant: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.previous_before(instant), |due| self.previous_before(*due))
            .take(count)
            .collect()
    }

    /// How many due times there are from `first` to `last`, both included. Calculated, not enumerated.
    #[must_use]
    pub fn count_between(&self, first: Timestamp, last: Timestamp) -> u64 {
        let first = first.as_millis().saturating_add(999).div_euclid(1000);
        self.occurrences().count(first, last.as_millis().div_euclid(1000))
    }

    fn occurrences(&self) -> Occurrences<'_> {
        Occurrences {
            calendar: &self.compiled.calendar,
            offsets: self.zone.offsets(),
            fixed: self.compiled.fixed,
        }
    }
}

/// `None` for what a [`Timestamp`] cannot hold.
fn from_seconds(seconds: i64) -> Option<Timestamp> {
    let millis = seconds.checked_mul(1000)?;
    (Timestamp::MIN.as_millis()..=Timestamp::MAX.as_millis())
        .contains(&millis)
        .then(|| Timestamp::from_millis(millis))
}

impl fmt::Debug for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Schedule({} in {})", self.compiled.pattern, self.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pattern: &str, zone: &str) -> Result<Schedule, CronError> {
        Schedule::parse(pattern, &zone.parse().expect(zone))
    }

    fn schedule(pattern: &str) -> Schedule {
        parse(pattern, "UTC").expect(pattern)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    #[test]
    fn what_never_fires_is_refused() {
        for pattern in
            ["0 0 30 2 *", "0 0 31 4,6 *", "0 0 31 4 +MON", "0 0 0 29 2 * 1900,2100", "0 0 1-7 * +5#3"]
        {
            let error = CronError::NeverFires { pattern: pattern.to_owned() };
            assert_eq!(parse(pattern, "UTC").err(), Some(error), "{pattern}");
        }
        // Samoa had no December 30 in that year.
        assert!(parse("0 0 12 30 12 * 2011", "Pacific/Apia").is_err());
        assert!(parse("0 0 12 30 12 * 2011", "UTC").is_ok());
    }

    #[test]
    fn what_only_fired_in_the_past_has_no_next() {
        let schedule = schedule("0 0 12 1 7 ? 2020");
        assert_eq!(schedule.next_after(at("2024-01-01T00:00:00Z")), None);
        assert_eq!(schedule.previous_before(at("2024-01-01T00:00:00Z")), Some(at("2020-07-01T12:00:00Z")));
    }

    #[test]
    fn next_and_previous_are_strict_to_the_millisecond() {
        let schedule = schedule("* * * * *");
        let noon = at("2024-05-05T12:00:00Z");
        let minute_later = at("2024-05-05T12:01:00Z");
        assert_eq!(schedule.next_after(noon), Some(minute_later));
        assert_eq!(schedule.next_after(at("2024-05-05T11:59:59.999Z")), Some(noon));
        assert_eq!(schedule.previous_before(minute_later), Some(noon));
        assert_eq!(schedule.previous_before(at("2024-05-05T12:00:00.001Z")), Some(noon));
    }

    #[test]
    fn time_ends_on_both_sides() {
        let yearly = schedule("@annually");
        assert_eq!(yearly.next_after(at("2998-06-01T00:00:00Z")), Some(at("2999-01-01T00:00:00Z")));
        assert_eq!(yearly.next_after(at("2999-06-01T00:00:00Z")), None);
        assert_eq!(yearly.previous_before(at("0001-06-01T00:00:00Z")), Some(at("0001-01-01T00:00:00Z")));
        assert_eq!(yearly.previous_before(at("0001-01-01T00:00:00Z")), None);
        assert_eq!(yearly.count_between(Timestamp::MIN, Timestamp::MAX), 2999);
        let last = schedule("59 59 23 31 12 ? 9999");
        assert_eq!(last.next_after(Timestamp::MIN), Some(at("9999-12-31T23:59:59Z")));
        assert_eq!(last.previous_before(Timestamp::MAX), Some(at("9999-12-31T23:59:59Z")));
    }

    #[test]
    fn years_are_stepped_from_zero() {
        let due = schedule("0 0 0 1 1 ? */400").next_n(Timestamp::MIN, 3);
        assert_eq!(due, [at("0400-01-01T00:00:00Z"), at("0800-01-01T00:00:00Z"), at("1200-01-01T00:00:00Z")]);
    }

    #[test]
    fn a_repeated_hour_is_passed_twice_even_after_the_last_match() {
        // The last local match lies before the change, yet a whole pass is still to come.
        let schedule = parse("0 */30 1 27 10 ? 2024", "Europe/London").expect("a pattern");
        let due = schedule.next_n(at("2024-10-27T00:30:00Z"), 9);
        assert_eq!(due, [at("2024-10-27T01:00:00Z"), at("2024-10-27T01:30:00Z")]);
        assert_eq!(schedule.previous_n(at("2025-01-01T00:00:00Z"), 9).len(), 4);
    }
}
