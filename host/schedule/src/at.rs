//! One-off times: an ISO 8601 timestamp on the wall clock of a zone, or with an offset of its own.
//!
//! `2024-12-25T09:00`, with optional seconds and a fraction of them (kept to the millisecond, the rest is cut off), a
//! space instead of `T`, and an optional `Z`, `+01:00`, `+0100` or `+01`, which then decides instead of the zone. A time
//! in a gap of the zone moves forward by the length of the gap; a repeated time is the earlier of its two instants. A
//! date or time that no calendar has (February 30, 24:00) is an error.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use innkeeper_model::time::Timestamp;

use crate::offsets::OffsetTable;
use crate::zone::Zone;

/// Longer than the reach of any zone's offset from UTC, shorter than the time between two clock changes, in seconds.
const NEIGHBOURHOOD: i64 = 86_400;

/// Why a text is no one-off time. Each message names the value and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AtError {
    /// Not the form of a timestamp.
    #[error("`{text}` is not a timestamp such as `2024-12-25T09:00:00`: {problem}")]
    Malformed {
        /// The text as given.
        text: String,
        /// Where it departs from the form.
        problem: &'static str,
    },
    /// The calendar has no such date.
    #[error("`{text}` names a date that does not exist; check month and day")]
    ImpossibleDate {
        /// The text as given.
        text: String,
    },
    /// The clock has no such time.
    #[error(
        "`{text}` names a time that does not exist; hours go from 00 to 23, minutes and seconds from 00 to 59"
    )]
    ImpossibleTime {
        /// The text as given.
        text: String,
    },
    /// As an instant in UTC it leaves the years 0000 to 9999.
    #[error("`{text}` is out of range; in UTC it must lie within the years 0000 to 9999")]
    OutOfRange {
        /// The text as given.
        text: String,
    },
}

/// The instant that `text` names, on the wall clock of `zone` unless it has an offset of its own.
///
/// # Errors
///
/// [`AtError`] if the text has another form or names a date or time that does not exist.
pub fn resolve_at(text: &str, zone: &Zone) -> Result<Timestamp, AtError> {
    let malformed = |problem| AtError::Malformed { text: text.to_owned(), problem };
    let parts = read(text.trim()).map_err(malformed)?;
    let impossible_date = || AtError::ImpossibleDate { text: text.to_owned() };
    let impossible_time = || AtError::ImpossibleTime { text: text.to_owned() };
    let date = NaiveDate::from_ymd_opt(parts.year, parts.month, parts.day).ok_or_else(impossible_date)?;
    let time = NaiveTime::from_hms_opt(parts.hour, parts.minute, parts.second).ok_or_else(impossible_time)?;
    let local = NaiveDateTime::new(date, time).and_utc().timestamp();
    let seconds = match parts.clock {
        Clock::Ahead(offset) => local - offset,
        Clock::Local => instant_of(zone.offsets(), local),
    };
    let millis = seconds * 1000 + i64::from(parts.millis);
    let instant = Timestamp::from_millis(millis);
    if instant.as_millis() == millis {
        Ok(instant)
    } else {
        Err(AtError::OutOfRange { text: text.to_owned() })
    }
}

/// The instant at which the wall clock shows `local`: the earlier one if there are two; as if the clock had not been put
/// forward yet if there is none.
fn instant_of(offsets: &OffsetTable, local: i64) -> i64 {
    let mut span = offsets.span_at(local - NEIGHBOURHOOD);
    // The last span whose wall clock has begun, unless an earlier one still shows the time.
    while local >= span.end + span.offset
        && let Some(next) = offsets.span_after(&span).filter(|next| next.local_start() <= local)
    {
        span = next;
    }
    local - span.offset
}

/// A timestamp taken apart; only its form has been checked.
struct Parts {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    millis: u32,
    clock: Clock,
}

/// Whose clock a timestamp speaks of.
enum Clock {
    /// The zone's.
    Local,
    /// One that is this many seconds ahead of UTC.
    Ahead(i64),
}

fn read(text: &str) -> Result<Parts, &'static str> {
    let mut reader = Reader { rest: text };
    let year = reader.number(4).ok_or("it starts with a year of four digits")?;
    let month = reader.after(b"-", 2).ok_or("after the year comes `-` and a month of two digits")?;
    let day = reader.after(b"-", 2).ok_or("after the month comes `-` and a day of two digits")?;
    if reader.rest.is_empty() {
        return Err("the time of day is missing; add one, such as `T09:00:00`");
    }
    let hour = reader.after(b"Tt ", 2).ok_or("after the date comes `T` and an hour of two digits")?;
    let minute = reader.after(b":", 2).ok_or("after the hour comes `:` and a minute of two digits")?;
    let (mut second, mut millis) = (0, 0);
    if reader.rest.starts_with(':') {
        second = reader.after(b":", 2).ok_or("after the second `:` come two digits")?;
        millis = reader.fraction().ok_or("after the `.` come one to nine digits")?;
    }
    let clock = reader.clock().ok_or("it ends with the time, or with `Z` or an offset such as `+01:00`")?;
    let year = i32::try_from(year).unwrap_or(0);
    Ok(Parts { year, month, day, hour, minute, second, millis, clock })
}

/// The unread rest of a timestamp.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// A number of exactly `digits` digits.
    fn number(&mut self, digits: usize) -> Option<u32> {
        let text = self.rest.get(..digits)?;
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())??;
        self.rest = &self.rest[digits..];
        Some(number)
    }

    /// A number of exactly `digits` digits after one of the `separators`.
    fn after(&mut self, separators: &[u8], digits: usize) -> Option<u32> {
        let separator = self.rest.bytes().next()?;
        if !separators.contains(&separator) {
            return None;
        }
        self.rest = self.rest.get(1..)?;
        self.number(digits)
    }

    /// The milliseconds of an optional fraction of a second.
    fn fraction(&mut self) -> Option<u32> {
        let Some(fraction) = self.rest.strip_prefix('.') else { return Some(0) };
        let count = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=9).contains(&count) {
            return None;
        }
        let (digits, rest) = fraction.split_at(count);
        self.rest = rest;
        format!("{digits:0<3}").get(..3)?.parse().ok()
    }

    /// The optional offset at the end; `None` if something else is left.
    fn clock(&mut self) -> Option<Clock> {
        let sign = match self.rest {
            "" => return Some(Clock::Local),
            "Z" | "z" => return Some(Clock::Ahead(0)),
            rest if rest.starts_with('+') => 1,
            rest if rest.starts_with('-') => -1,
            _ => return None,
        };
        let hours = self.after(b"+-", 2)?;
        let minutes = match self.rest.len() {
            0 => 0,
            2 => self.number(2)?,
            _ => self.after(b":", 2)?,
        };
        let is_possible = hours <= 23 && minutes <= 59 && self.rest.is_empty();
        is_possible.then(|| Clock::Ahead(sign * i64::from(hours * 3600 + minutes * 60)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str, zone: &str) -> Result<String, AtError> {
        resolve_at(text, &zone.parse().expect(zone)).map(|instant| instant.to_string())
    }

    #[test]
    fn every_form_is_read() {
        for (text, instant) in [
            ("2024-12-25T09:00:00", "2024-12-25T14:00:00.000Z"),
            ("2024-12-25T09:00", "2024-12-25T14:00:00.000Z"),
            ("2024-12-25 09:00:05", "2024-12-25T14:00:05.000Z"),
            (" 2024-12-25t09:00:00.1239 ", "2024-12-25T14:00:00.123Z"),
            ("2024-12-25T09:00:00.5", "2024-12-25T14:00:00.500Z"),
            ("2024-12-25T09:00:00Z", "2024-12-25T09:00:00.000Z"),
            ("2024-12-25T09:00z", "2024-12-25T09:00:00.000Z"),
            ("2024-12-25T09:00:00+01:00", "2024-12-25T08:00:00.000Z"),
            ("2024-12-25T09:00:00.25-0530", "2024-12-25T14:30:00.250Z"),
            ("2024-12-25T09:00:00-08", "2024-12-25T17:00:00.000Z"),
            ("2024-02-29T00:00:00", "2024-02-29T05:00:00.000Z"),
        ] {
            assert_eq!(resolve(text, "America/New_York").as_deref(), Ok(instant), "{text}");
        }
    }

    #[test]
    fn gaps_move_forward_and_repeated_times_are_the_earlier() {
        for (text, zone, instant) in [
            ("2024-03-10T02:30:00", "America/New_York", "2024-03-10T07:30:00.000Z"),
            ("2024-11-03T01:30:00", "America/New_York", "2024-11-03T05:30:00.000Z"),
            ("2024-11-03T00:59:59", "America/New_York", "2024-11-03T04:59:59.000Z"),
            ("2024-11-03T02:00:00", "America/New_York", "2024-11-03T07:00:00.000Z"),
            ("2011-12-30T12:00:00", "Pacific/Apia", "2011-12-30T22:00:00.000Z"),
            ("2025-04-06T01:45:00", "Australia/Lord_Howe", "2025-04-05T14:45:00.000Z"),
        ] {
            assert_eq!(resolve(text, zone).as_deref(), Ok(instant), "{text}");
        }
    }

    #[test]
    fn the_range_ends_with_four_digit_years() {
        assert_eq!(resolve("9999-12-31T23:59:59.999", "UTC").as_deref(), Ok("9999-12-31T23:59:59.999Z"));
        assert_eq!(resolve("0000-01-01T00:00:00", "UTC").as_deref(), Ok("0000-01-01T00:00:00.000Z"));
        for text in ["9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+00:01"] {
            assert_eq!(resolve(text, "UTC"), Err(AtError::OutOfRange { text: text.to_owned() }));
        }
    }

    #[test]
    fn impossible_dates_and_times_are_errors() {
        for text in
            ["2023-02-29T00:00:00", "2024-02-30T00:00:00", "2024-13-01T00:00:00", "2024-00-01T00:00:00"]
        {
            assert_eq!(resolve(text, "UTC"), Err(AtError::ImpossibleDate { text: text.to_owned() }));
        }
        for text in ["2024-01-01T24:00:00", "2024-01-01T12:60:00", "2024-01-01T23:59:60"] {
            assert_eq!(resolve(text, "UTC"), Err(AtError::ImpossibleTime { text: text.to_owned() }));
        }
    }

    #[test]
    fn other_forms_are_errors() {
        for text in [
            "",
            "tomorrow",
            "2024-12-25",
            "2024-12-25T",
            "2024-12-25T9:00:00",
            "2024-12-25T09",
            "2024-12-25  09:00:00",
            "2024-12-25T09:00:00.",
            "2024-12-25T09:00:00,5",
            "2024-12-25T09:00:00.1234567890",
            "2024-12-25T09:00:00 Z",
            "2024-12-25T09:00:00+1",
            "2024-12-25T09:00:00+24:00",
            "2024-12-25T09:00:00+01:00:00",
            "2024-12-25T09:00:00 America/New_York",
            "2024-12-25T09:00:00\u{e9}",
            "24-12-25T09:00:00",
            "+002024-12-25T09:00:00",
            "20241225T090000",
            "2024-1\u{e9}-25T09:00:00",
        ] {
            assert!(matches!(resolve(text, "UTC"), Err(AtError::Malformed { .. })), "{text}");
        }
        let error = resolve("2024-12-25", "UTC").expect_err("no time").to_string();
        assert!(error.contains("`2024-12-25`") && error.contains("T09:00:00"), "{error}");
    }
}
