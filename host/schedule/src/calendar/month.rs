//! Months of the Gregorian calendar, and stepping from one to the next without asking a calendar.

use chrono::{Datelike, NaiveDate};

use super::LISTED_YEAR_MAX;

/// One month of the Gregorian calendar in the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Month {
    pub(super) year: i32,
    /// 1 to 12.
    pub(super) number: u32,
    /// Days since 1970-01-01.
    pub(super) first_day: i64,
    /// 0 is Sunday.
    pub(super) first_weekday: usize,
    /// Days.
    pub(super) length: i64,
}

impl Month {
    /// January of the year 1, a Monday.
    pub(super) const FIRST: Self =
        Self { year: 1, number: 1, first_day: -719_162, first_weekday: 1, length: 31 };
    /// December of the year 9999, which starts on a Wednesday.
    pub(super) const LAST: Self =
        Self { year: LISTED_YEAR_MAX, number: 12, first_day: 2_932_866, first_weekday: 3, length: 31 };

    pub(super) fn new(year: i32, month: u32) -> Option<Self> {
        Self::of_date(NaiveDate::from_ymd_opt(year, month, 1)?)
    }

    /// `None` outside the years 1 to 9999.
    pub(super) fn of_day(day: i64) -> Option<Self> {
        Self::of_date(NaiveDate::from_epoch_days(i32::try_from(day).ok()?)?)
    }

    fn of_date(date: NaiveDate) -> Option<Self> {
        let (year, number) = (date.year(), date.month());
        let first = date.with_day(1)?;
        let first_weekday = usize::try_from(first.weekday().num_days_from_sunday()).ok()?;
        let first_day = i64::from(first.to_epoch_days());
        (1..=LISTED_YEAR_MAX).contains(&year).then_some(Self {
            year,
            number,
            first_day,
            first_weekday,
            length: month_length(year, number),
        })
    }

    pub(super) fn next(&self) -> Option<Self> {
        let (year, number) =
            if self.number == 12 { (self.year + 1, 1) } else { (self.year, self.number + 1) };
        (year <= LISTED_YEAR_MAX).then(|| Self {
            year,
            number,
            first_day: self.first_day + self.length,
            first_weekday: shift_weekday(self.first_weekday, self.length),
            length: month_length(year, number),
        })
    }

    pub(super) fn previous(&self) -> Option<Self> {
        let (year, number) =
            if self.number == 1 { (self.year - 1, 12) } else { (self.year, self.number - 1) };
        let length = month_length(year, number);
        (year >= 1).then(|| Self {
            year,
            number,
            first_day: self.first_day - length,
            first_weekday: shift_weekday(self.first_weekday, 35 - length),
            length,
        })
    }
}

fn shift_weekday(weekday: usize, days: i64) -> usize {
    (weekday + usize::try_from(days).unwrap_or(0)) % 7
}

fn month_length(year: i32, month: u32) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_the_first_and_the_last_month() {
        assert_eq!(Month::new(1, 1), Some(Month::FIRST));
        assert_eq!(Month::new(9999, 12), Some(Month::LAST));
        assert_eq!((Month::FIRST.previous(), Month::LAST.next()), (None, None));
    }

    #[test]
    fn stepping_by_months_agrees_with_the_calendar() {
        let mut month = Month::FIRST;
        for _ in 0..(9999 * 12 - 1) {
            let next = month.next().expect("not the last month yet");
            assert_eq!(Month::of_day(next.first_day), Some(next));
            assert_eq!(next.previous(), Some(month));
            month = next;
        }
        assert_eq!(month, Month::LAST);
    }
}
