//! From a checked pattern, by way of the `croner` crate, to bit sets.

use croner::parser::CronParser;
use croner::{CronPattern, Weekday};

use super::Compiled;
use super::error::CronError;
use super::syntax::{self, Checked};
use crate::calendar::{Calendar, DayTable};

/// A year, month and weekday of the first for each month length from 28 to 31, as the crate wants to be asked about
/// real months. Any year of the same shape would do.
const MONTHS_BY_LENGTH: [(i32, u32); 4] = [(2023, 2), (2024, 2), (2023, 4), (2023, 1)];

/// Checks `pattern` and turns it into field sets.
pub(super) fn compile(pattern: &str) -> Result<Compiled, CronError> {
    let Checked { rewritten, years, written_as_time } = syntax::check(pattern)?;
    let unreadable = |error: croner::errors::CronError| CronError::Unreadable {
        pattern: pattern.to_owned(),
        reason: error.to_string(),
    };
    let parsed = CronParser::new().parse(&rewritten).map_err(unreadable)?.pattern;
    let calendar = Calendar {
        seconds: bits(&parsed.seconds.values()),
        minutes: bits(&parsed.minutes.values()),
        hours: bits(&parsed.hours.values()),
        months: bits(&parsed.months.values()),
        days: day_table(&parsed).map_err(unreadable)?,
        years,
    };
    let one_time =
        [calendar.seconds, calendar.minutes, calendar.hours].iter().all(|set| set.is_power_of_two());
    Ok(Compiled { pattern: pattern.into(), calendar, fixed: written_as_time && one_time })
}

fn bits(values: &[u16]) -> u64 {
    values.iter().fold(0, |set, value| set | 1 << value)
}

/// Asks the crate about each day of each kind of month.
fn day_table(parsed: &CronPattern) -> Result<DayTable, croner::errors::CronError> {
    let mut table = DayTable::default();
    for (masks, (length, (year, month))) in table.iter_mut().zip((28..).zip(MONTHS_BY_LENGTH)) {
        for (first_weekday, mask) in (0..).zip(masks) {
            for day in 1..=length {
                let weekday = Weekday::from_days_from_sunday(first_weekday + day - 1);
                *mask |= u32::from(parsed.day_match(year, month, day, weekday)?) << (day - 1);
            }
        }
    }
    Ok(table)
}
