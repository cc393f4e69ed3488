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
