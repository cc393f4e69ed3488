//! Instants and durations in milliseconds.

/// Milliseconds from 1970 to an instant as the host writes it: `2025-09-01T15:00:00.000Z`.
pub fn instant_ms(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let is_written_so = text.len() == 24 && text.get(10..11) == Some("T") && text.ends_with('Z');
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if !is_written_so || year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    Some((days_before(year, month, day) * 86_400 + seconds) * 1000 + number(20, 23)?)
}

/// Days from 1970-01-01 to a date. Years are taken to begin in March, so that a leap day is the last of one.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400;
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// Milliseconds of a duration: `500ms`, `30s`, `5m`, `2h`, `1d`.
pub fn duration_ms(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_count_from_1970() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T12:00:00.001Z", 951_825_600_001),
            ("2025-09-01T15:00:00.000Z", 1_756_738_800_000),
            ("2100-03-01T00:00:00.000Z", 4_107_542_400_000),
        ] {
            assert_eq!(instant_ms(text), Some(expected), "{text}");
        }
        for bad in ["", "2025-09-01", "2025-09-01T15:00:00.000+", "2025-13-01T15:00:00.000Z", "soon"] {
            assert_eq!(instant_ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(
            ["5ms", "30s", "5m", "25h", "1d"].map(duration_ms),
            [5, 30_000, 300_000, 90_000_000, 86_400_000].map(Some)
        );
        assert_eq!(["", "5", "h", "1w", "-1s", "99999999999999999999d"].map(duration_ms), [None; 6]);
    }
}
