//! Values in a form that people read.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// The text with everything made visible that could move the cursor, change colours or turn the reading direction: what
/// plugins write must not act on the terminal of whoever reads it.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let turns =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns {
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The text, cut to `width` terminal columns and then marked with an ellipsis.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    console::truncate_str(text, width, "…").into_owned()
}

/// An RFC 3339 instant in this machine's time zone. What is no instant is shown as it is, nothing as nothing.
pub(crate) fn time(instant: &Value) -> String {
    local(instant, "%Y-%m-%d %H:%M:%S %:z")
}

/// As [`time`], without the zone's offset: for tables, where room is short.
pub(crate) fn short_time(instant: &Value) -> String {
    local(instant, "%Y-%m-%d %H:%M:%S")
}

/// An RFC 3339 instant in the zone of this name; `None` if this machine does not know the zone.
pub(crate) fn time_in(instant: &Value, zone: &str) -> Option<String> {
    let at = instant.as_str()?.parse::<Timestamp>().ok()?;
    Some(at.to_zoned(TimeZone::get(zone).ok()?).strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
}

fn local(instant: &Value, format: &str) -> String {
    let Some(text) = instant.as_str() else { return String::new() };
    match text.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime(format).to_string(),
        Err(_) => text.to_owned(),
    }
}

/// The time of day of an instant, in milliseconds since the epoch, in `zone`.
pub(crate) fn wall(millis: i64, zone: &TimeZone, with_millis: bool) -> String {
    let Ok(at) = Timestamp::from_millisecond(millis) else { return String::new() };
    let format = if with_millis { "%H:%M:%S%.3f" } else { "%H:%M:%S" };
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

/// A JSON value on one line; a string without its quotes, nothing as nothing.
pub(crate) fn json_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A number of bytes, such as `1.1 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    scaled(count, 1024, &["B", "KiB", "MiB", "GiB"], " ")
}

/// An amount of fuel, such as `82.1k`.
pub(crate) fn fuel(units: u64) -> String {
    scaled(units, 1000, &["", "k", "M", "G", "T"], "")
}

/// Microseconds as milliseconds, such as `0.42 ms`.
pub(crate) fn millis(micros: u64) -> String {
    let digits = if micros < 10_000 { 2 } else { 0 };
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let millis = micros as f64 / 1000.0;
    format!("{millis:.digits$} ms")
}

/// `1 task`, `2 tasks`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn scaled(value: u64, step: u64, units: &[&str], gap: &str) -> String {
    let mut unit = 0;
    let mut scale = 1u64;
    while unit + 1 < units.len() && value / scale >= step {
        scale *= step;
        unit += 1;
    }
    if unit == 0 {
        return format!("{value}{gap}{}", units[0]);
    }
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let shown = value as f64 / scale as f64;
    format!("{shown:.1}{gap}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_scaled() {
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1024), bytes(1_153_434)],
            ["0 B", "1023 B", "1.0 KiB", "1.1 MiB"]
        );
        assert_eq!([fuel(999), fuel(82_100), fuel(2_500_000)], ["999", "82.1k", "2.5M"]);
        assert_eq!([millis(420), millis(9_999), millis(30_000_499)], ["0.42 ms", "10.00 ms", "30000 ms"]);
        assert_eq!([count(1, "task"), count(0, "task")], ["1 task", "0 tasks"]);
        assert!(bytes(u64::MAX).ends_with("GiB"));
    }

    #[test]
    fn what_acts_on_a_terminal_is_made_visible() {
        assert_eq!(printable("a\u{1b}[31mb\r\n\u{202e}é"), "a\\u{1b}[31mb\\r\\n\\u{202e}é");
    }

    #[test]
    fn a_time_that_is_none_is_shown_as_it_is() {
        assert_eq!(time(&Value::Null), "");
        assert_eq!(time(&json!("soon")), "soon");
        assert!(time(&json!("2025-09-01T15:00:00.000Z")).starts_with("2025-09-0"));
    }

    #[test]
    fn the_time_of_day_has_milliseconds_on_request() {
        assert_eq!(wall(1_735_117_200_007, &TimeZone::UTC, true), "09:00:00.007");
        assert_eq!(wall(1_735_117_200_007, &TimeZone::UTC, false), "09:00:00");
    }

    #[test]
    fn long_text_is_marked_as_cut() {
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(shorten("abc", 4), "abc");
    }
}
