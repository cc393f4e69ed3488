//! Dates as numbers.

/// Days from 1970-01-01 to a date of the Gregorian calendar; years are counted from March, so that a leap day ends one.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// Seconds since 1970 of a time such as `2025-09-01T15:00:00.000Z`; `None` if the text is none.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let day = days(part(0..4)?, part(5..7)?, part(8..10)?);
    Some(day * 86_400 + part(11..13)? * 3600 + part(14..16)? * 60 + part(17..19)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_over_leap_years() {
        for (date, expected) in
            [((1970, 1, 1), 0), ((1972, 3, 1), 790), ((2000, 2, 29), 11_016), ((2100, 3, 1), 47_541)]
        {
            assert_eq!(days(date.0, date.1, date.2), expected, "{date:?}");
        }
    }

    #[test]
    fn times_are_read() {
        assert_eq!(seconds("2025-09-01T15:00:00.000Z"), Some(1_756_738_800));
        assert_eq!(seconds("1970-01-01T00:00:01.999Z"), Some(1));
        assert_eq!(seconds("soon"), None);
    }
}
