//! Durations as people write them: `500ms`, `30s`, `1h30m`, `30 minutes`, `in 1 day`.
//!
//! A duration is one or more pairs of a whole number and a unit, from the largest unit to the smallest and each unit
//! once; `in` may stand in front, letter case does not matter, and spaces may separate the parts. There is no sign and
//! no fraction: `1h30m` says exactly what `1.5h` would. `0s` is a duration; a number without a unit is not. A day has
//! 24 hours, whatever a time zone does meanwhile.

use std::time::Duration;

/// A unit: its short name, its milliseconds, and what else it may be called (a plural `s` is always allowed after it).
struct Unit {
    name: &'static str,
    millis: u64,
    others: [&'static str; 3],
}

/// From the largest to the smallest.
const UNITS: [Unit; 5] = [
    Unit { name: "d", millis: 86_400_000, others: ["day", "day", "day"] },
    Unit { name: "h", millis: 3_600_000, others: ["hour", "hr", "hr"] },
    Unit { name: "m", millis: 60_000, others: ["minute", "min", "min"] },
    Unit { name: "s", millis: 1000, others: ["second", "sec", "sec"] },
    Unit { name: "ms", millis: 1, others: ["millisecond", "millis", "msec"] },
];

/// Ten thousand years: more than the calendar here reaches.
const MILLIS_MAX: u64 = 3_652_500 * 86_400_000;

/// Why a text is no duration. Each message names the value and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing but spaces, or `in`.
    #[error("the duration is empty; write a number and a unit, such as `5m`")]
    Empty,
    /// A number stands alone.
    #[error(
        "duration `{text}` has no unit after {number}; write `{number}s` for seconds or `{number}m` for minutes"
    )]
    MissingUnit {
        /// The whole text.
        text: String,
        /// The number.
        number: String,
    },
    /// The unit is none of the known ones.
    #[error("duration `{text}` has the unknown unit `{unit}`; the units are ms, s, m, h and d")]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// The unit as given.
        unit: String,
    },
    /// A unit is repeated, or follows a smaller one.
    #[error(
        "duration `{text}` has its units out of order; write each once, the largest first, such as `1h30m`"
    )]
    OutOfOrder {
        /// The whole text.
        text: String,
    },
    /// A minus sign.
    #[error("duration `{text}` is negative; it must be zero or more")]
    Negative {
        /// The whole text.
        text: String,
    },
    /// A decimal point or comma.
    #[error("duration `{text}` has a fraction; write whole numbers, such as `1h30m` or `1500ms`")]
    Fraction {
        /// The whole text.
        text: String,
    },
    /// More than ten thousand years.
    #[error("duration `{text}` is too long; at most 3652500d (ten thousand years) are possible")]
    TooLong {
        /// The whole text.
        text: String,
    },
    /// Anything else where a number should be.
    #[error(
        "duration `{text}` has `{found}` where a number should be; write a number and a unit, such as `5m`"
    )]
    NoNumber {
        /// The whole text.
        text: String,
        /// What stands there.
        found: String,
    },
}

/// Reads a duration; its resolution is a millisecond.
///
/// # Errors
///
/// [`DurationError`] for whatever the module's grammar does not allow.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = strip_in(text.trim());
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    let mut total: u64 = 0;
    let mut units_left = &UNITS[..];
    while !rest.is_empty() {
        let (number, after_number) = split_while(rest, |letter| letter.is_ascii_digit());
        if number.is_empty() {
            return Err(stray(text, rest));
        }
        let (unit, after_unit) = split_while(after_number.trim_start(), char::is_alphabetic);
        let index = find_unit(unit).ok_or_else(|| unit_error(text, number, unit, after_number))?;
        let unit = &UNITS[index];
        units_left = units_left
            .iter()
            .position(|left| left.name == unit.name)
            .map(|position| &units_left[position + 1..])
            .ok_or_else(|| DurationError::OutOfOrder { text: text.to_owned() })?;
        let millis = number.parse().ok().and_then(|number: u64| number.checked_mul(unit.millis));
        total = millis
            .and_then(|millis| total.checked_add(millis))
            .filter(|total| *total <= MILLIS_MAX)
            .ok_or_else(|| DurationError::TooLong { text: text.to_owned() })?;
        rest = after_unit.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// Writes a duration in its shortest compound form, such as `1h30m`, which [`parse_duration`] reads back. What is
/// smaller than a millisecond is left out.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut left = duration.as_millis();
    let mut text = String::new();
    for unit in &UNITS {
        let count = left / u128::from(unit.millis);
        left %= u128::from(unit.millis);
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit.name);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Without a leading `in`.
fn strip_in(text: &str) -> &str {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) if word.eq_ignore_ascii_case("in") => rest.trim_start(),
        _ if text.eq_ignore_ascii_case("in") => "",
        _ => text,
    }
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !belongs(letter)).unwrap_or(text.len()))
}

fn find_unit(unit: &str) -> Option<usize> {
    let unit = unit.to_ascii_lowercase();
    let singular = unit.strip_suffix('s').unwrap_or(&unit);
    let is_called = |known: &Unit| {
        known.name == unit || known.others.iter().any(|other| *other == unit || *other == singular)
    };
    UNITS.iter().position(is_called)
}

fn unit_error(text: &str, number: &str, unit: &str, after_number: &str) -> DurationError {
    let text = text.to_owned();
    match after_number.chars().next() {
        Some('.' | ',') => DurationError::Fraction { text },
        _ if unit.is_empty() => DurationError::MissingUnit { text, number: number.to_owned() },
        _ => DurationError::UnknownUnit { text, unit: unit.to_owned() },
    }
}

fn stray(text: &str, rest: &str) -> DurationError {
    let text = text.to_owned();
    match rest.chars().next() {
        Some('-' | '\u{2212}') => DurationError::Negative { text },
        Some('.') => DurationError::Fraction { text },
        _ => DurationError::NoNumber { text, found: rest.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> u128 {
        parse_duration(text).expect(text).as_millis()
    }

    #[test]
    fn every_unit_in_every_spelling() {
        for (text, expected) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("0s", 0),
            ("in 5m", 300_000),
            ("in 1 day", 86_400_000),
            ("30 minutes", 1_800_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("  In  2 Hours 5 Min  ", 7_500_000),
            ("1D2H3M4S5MS", 93_784_005),
            ("1 sec", 1000),
            ("3 secs 20 milliseconds", 3020),
            ("2hrs", 7_200_000),
            ("007s", 7000),
            ("3652500d", 315_576_000_000_000),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told_why() {
        let text = String::from;
        for (given, error) in [
            ("", DurationError::Empty),
            (" in ", DurationError::Empty),
            ("5", DurationError::MissingUnit { text: text("5"), number: text("5") }),
            ("in 5", DurationError::MissingUnit { text: text("in 5"), number: text("5") }),
            ("1h30", DurationError::MissingUnit { text: text("1h30"), number: text("30") }),
            ("5 weeks", DurationError::UnknownUnit { text: text("5 weeks"), unit: text("weeks") }),
            ("5µs", DurationError::UnknownUnit { text: text("5µs"), unit: text("µs") }),
            ("5ss", DurationError::UnknownUnit { text: text("5ss"), unit: text("ss") }),
            ("30m1h", DurationError::OutOfOrder { text: text("30m1h") }),
            ("5m5m", DurationError::OutOfOrder { text: text("5m5m") }),
            ("-5m", DurationError::Negative { text: text("-5m") }),
            ("1.5h", DurationError::Fraction { text: text("1.5h") }),
            (".5h", DurationError::Fraction { text: text(".5h") }),
            ("3652501d", DurationError::TooLong { text: text("3652501d") }),
            ("99999999999999999999d", DurationError::TooLong { text: text("99999999999999999999d") }),
            ("18446744073709551615ms", DurationError::TooLong { text: text("18446744073709551615ms") }),
            ("soon", DurationError::NoNumber { text: text("soon"), found: text("soon") }),
            ("5m later", DurationError::NoNumber { text: text("5m later"), found: text("later") }),
            ("5m,3s", DurationError::NoNumber { text: text("5m,3s"), found: text(",3s") }),
        ] {
            assert_eq!(parse_duration(given), Err(error), "{given}");
        }
    }

    #[test]
    fn a_missing_unit_is_suggested() {
        let error = parse_duration("5").expect_err("no unit").to_string();
        assert!(error.contains("`5s`") && error.contains("`5m`"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0..=MILLIS_MAX) {
            let duration = Duration::from_millis(millis);
            proptest::prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }

    #[test]
    fn the_shortest_form_is_written() {
        for (millis, text) in [
            (0, "0s"),
            (1, "1ms"),
            (90_000, "1m30s"),
            (5_400_000, "1h30m"),
            (86_400_000, "1d"),
            (90_061_001, "1d1h1m1s1ms"),
        ] {
            assert_eq!(format_duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(format_duration(Duration::from_nanos(999_999)), "0s");
        assert_eq!(format_duration(Duration::MAX), "213503982334601d7h15s999ms");
    }
}
