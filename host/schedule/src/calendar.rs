//! When a pattern matches on an ideal wall clock, one that never jumps: field sets and the search through them.
//!
//! A wall clock time is a number of seconds since 1970-01-01T00:00:00 as the clock shows it. Which days of a month match
//! depends only on the month's length and on its first weekday, so the day rules are a table of 28 masks, and a search
//! steps by months instead of by days.

mod month;

use self::month::Month;

pub(crate) const DAY: i64 = 86_400;

/// Without a year field the search ends with the year 2999, like the reference's.
const YEAR_MAX: i32 = 2999;

/// The last year that a year field can name.
pub(crate) const LISTED_YEAR_MAX: i32 = 9999;

const WORDS: usize = 157;

/// For each month length (28 to 31) and first weekday (0 is Sunday) the matching days: bit 0 is the first of the month.
pub(crate) type DayTable = [[u32; 7]; 4];

/// The years that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Years {
    /// No year field, or `*`.
    Every,
    /// One bit per year from 0 to 9999.
    Listed(Box<[u64; WORDS]>),
}

impl Years {
    /// No year at all, to be filled by [`Years::insert`].
    pub(crate) fn none() -> Self {
        Self::Listed(Box::new([0; WORDS]))
    }

    /// Adds a year from 1 to 9999.
    pub(crate) fn insert(&mut self, year: usize) {
        if let Self::Listed(words) = self {
            words[year / 64] |= 1 << (year % 64);
        }
    }

    fn contains(&self, year: i32) -> bool {
        match self {
            Self::Every => (1..=YEAR_MAX).contains(&year),
            Self::Listed(words) => match usize::try_from(year) {
                Ok(year) if year / 64 < WORDS => words[year / 64] & (1 << (year % 64)) != 0,
                _ => false,
            },
        }
    }

    fn at_or_after(&self, year: i32) -> Option<i32> {
        (year.max(1)..=LISTED_YEAR_MAX).find(|year| self.contains(*year))
    }

    fn at_or_before(&self, year: i32) -> Option<i32> {
        (1..=year.min(LISTED_YEAR_MAX)).rev().find(|year| self.contains(*year))
    }
}

/// The sets of values that a pattern names. No set is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Calendar {
    /// Bits 0 to 59.
    pub(crate) seconds: u64,
    /// Bits 0 to 59.
    pub(crate) minutes: u64,
    /// Bits 0 to 23.
    pub(crate) hours: u64,
    /// Bits 1 to 12.
    pub(crate) months: u64,
    pub(crate) days: DayTable,
    pub(crate) years: Years,
}

impl Calendar {
    /// The first match at or after the wall clock time `local`.
    pub(crate) fn first_from(&self, local: i64) -> Option<i64> {
        let (day, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let Some(month) = Month::of_day(day) else {
            // Past the supported years on one side or the other.
            return if day < 0 { self.first_day_from(Month::FIRST, 0) } else { None }
                .map(|day| self.opening(day));
        };
        if self.days_of(&month) & bit(day - month.first_day) != 0
            && let Some(second) = self.time_from(second)
        {
            return Some(day * DAY + second);
        }
        self.first_day_from(month, day - month.first_day + 1).map(|day| self.opening(day))
    }

    /// The last match at or before the wall clock time `local`.
    pub(crate) fn last_until(&self, local: i64) -> Option<i64> {
        let (day, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let Some(month) = Month::of_day(day) else {
            return if day > 0 { self.last_day_until(Month::LAST, 30) } else { None }
                .map(|day| self.closing(day));
        };
        if self.days_of(&month) & bit(day - month.first_day) != 0
            && let Some(second) = self.time_until(second)
        {
            return Some(day * DAY + second);
        }
        self.last_day_until(month, day - month.first_day - 1).map(|day| self.closing(day))
    }

    /// How many matches there are from `from` up to but not including `until`.
    pub(crate) fn count(&self, from: i64, until: i64) -> u64 {
        let from = from.max(Month::FIRST.first_day * DAY);
        if from >= until { 0 } else { self.count_before(until, from) - self.count_before(from, from) }
    }

    /// Matches before `local`, counted from the start of the month of `origin`.
    fn count_before(&self, local: i64, origin: i64) -> u64 {
        let Some(mut month) = Month::of_day(origin.div_euclid(DAY)) else { return 0 };
        let (day, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let mut days = 0;
        while month.first_day + month.length <= day {
            days += u64::from(self.days_of(&month).count_ones());
            match month.next() {
                Some(next) => month = next,
                None => return days * self.times_per_day(),
            }
        }
        let mask = self.days_of(&month);
        let today = bit(day - month.first_day);
        days += u64::from((mask & (today - 1)).count_ones());
        let times_today = if mask & today == 0 { 0 } else { self.times_before(second) };
        days * self.times_per_day() + times_today
    }

    /// The first matching day in `month`, not before its day `index` (from 0), or in a later month.
    fn first_day_from(&self, mut month: Month, index: i64) -> Option<i64> {
        let mut allowed = u32::MAX.checked_shl(u32::try_from(index).unwrap_or(0)).unwrap_or(0);
        loop {
            let days = self.days_of(&month) & allowed;
            if days != 0 {
                return Some(month.first_day + i64::from(days.trailing_zeros()));
            }
            allowed = u32::MAX;
            month = month.next()?;
            if !self.years.contains(month.year) {
                month = Month::new(self.years.at_or_after(month.year)?, 1)?;
            }
        }
    }

    /// The last matching day in `month`, not after its day `index` (from 0), or in an earlier month.
    fn last_day_until(&self, mut month: Month, index: i64) -> Option<i64> {
        let mut allowed = u32::try_from(index).map_or(0, |index| u32::MAX >> 31_u32.saturating_sub(index));
        loop {
            let days = self.days_of(&month) & allowed;
            if days != 0 {
                return Some(month.first_day + i64::from(days.ilog2()));
            }
            allowed = u32::MAX;
            month = month.previous()?;
            if !self.years.contains(month.year) {
                month = Month::new(self.years.at_or_before(month.year)?, 12)?;
            }
        }
    }

    fn days_of(&self, month: &Month) -> u32 {
        if self.months & (1 << month.number) == 0 || !self.years.contains(month.year) {
            return 0;
        }
        self.days[usize::try_from(month.length - 28).unwrap_or(0)][month.first_weekday]
    }

    fn opening(&self, day: i64) -> i64 {
        day * DAY + clock(lowest(self.hours), lowest(self.minutes), lowest(self.seconds))
    }

    fn closing(&self, day: i64) -> i64 {
        day * DAY + clock(highest(self.hours), highest(self.minutes), highest(self.seconds))
    }

    /// The first matching time of day at or after `second`.
    fn time_from(&self, second: i64) -> Option<i64> {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let in_hour = self.hours & (1 << hour) != 0;
        if in_hour
            && self.minutes & (1 << minute) != 0
            && let Some(second) = at_least(self.seconds, second)
        {
            return Some(clock(hour, minute, second));
        }
        if in_hour && let Some(minute) = at_least(self.minutes, minute + 1) {
            return Some(clock(hour, minute, lowest(self.seconds)));
        }
        at_least(self.hours, hour + 1).map(|hour| clock(hour, lowest(self.minutes), lowest(self.seconds)))
    }

    /// The last matching time of day at or before `second`.
    fn time_until(&self, second: i64) -> Option<i64> {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let in_hour = self.hours & (1 << hour) != 0;
        if in_hour
            && self.minutes & (1 << minute) != 0
            && let Some(second) = below(self.seconds, second + 1)
        {
            return Some(clock(hour, minute, second));
        }
        if in_hour && let Some(minute) = below(self.minutes, minute) {
            return Some(clock(hour, minute, highest(self.seconds)));
        }
        below(self.hours, hour).map(|hour| clock(hour, highest(self.minutes), highest(self.seconds)))
    }

    fn times_per_day(&self) -> u64 {
        size(self.hours) * size(self.minutes) * size(self.seconds)
    }

    /// How many matching times of day are before `second`.
    fn times_before(&self, second: i64) -> u64 {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let mut count = rank(self.hours, hour) * size(self.minutes) * size(self.seconds);
        if self.hours & (1 << hour) != 0 {
            count += rank(self.minutes, minute) * size(self.seconds);
            if self.minutes & (1 << minute) != 0 {
                count += rank(self.seconds, second);
            }
        }
        count
    }
}

fn clock(hour: i64, minute: i64, second: i64) -> i64 {
    hour * 3600 + minute * 60 + second
}

/// The bit of the day `index` (from 0) of a month.
fn bit(index: i64) -> u32 {
    1 << index
}

fn size(set: u64) -> u64 {
    u64::from(set.count_ones())
}

/// How many members of `set` are below `value`.
fn rank(set: u64, value: i64) -> u64 {
    size(set & ((1 << value) - 1))
}

fn lowest(set: u64) -> i64 {
    i64::from(set.trailing_zeros())
}

fn highest(set: u64) -> i64 {
    i64::from(set.ilog2())
}

/// The lowest member of `set` that is not below `value`, which is at most 60.
fn at_least(set: u64, value: i64) -> Option<i64> {
    let rest = set & (u64::MAX << value);
    (rest != 0).then(|| lowest(rest))
}

/// The highest member of `set` below `value`, which is at most 60.
fn below(set: u64, value: i64) -> Option<i64> {
    let rest = set & ((1 << value) - 1);
    (rest != 0).then(|| highest(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon_on_the_31st() -> Calendar {
        let mut days = [[0; 7]; 4];
        days[3] = [1 << 30; 7];
        Calendar { seconds: 1, minutes: 1, hours: 1 << 12, months: 0x1ffe, days, years: Years::Every }
    }

    #[test]
    fn searching_ends_at_both_ends_of_time() {
        let calendar = noon_on_the_31st();
        let first = -719_162 * DAY + 30 * DAY + 12 * 3600;
        assert_eq!(calendar.first_from(i64::MIN / 8), Some(first));
        assert_eq!(calendar.last_until(first - 1), None);
        let last = calendar.last_until(i64::MAX / 8).expect("there is a last one");
        assert_eq!(Month::of_day(last / DAY).map(|month| (month.year, month.number)), Some((2999, 12)));
        assert_eq!(calendar.first_from(last + 1), None);
    }

    #[test]
    fn counting_agrees_with_walking() {
        let calendar = noon_on_the_31st();
        let (from, until) = (-50_000 * DAY + 17, 60_000 * DAY + 12 * 3600);
        let mut walked = 0;
        let mut local = from;
        while let Some(found) = calendar.first_from(local).filter(|found| *found < until) {
            walked += 1;
            local = found + 1;
        }
        assert_eq!(calendar.count(from, until), walked);
    }
}
