//! The grammar of the reference, checked before the `croner` crate sees anything, and the rewriting for that crate.
//!
//! A field is a list of items separated by commas. An item is `*`, `*/step`, a value, a range `a-b` or `a-b/step`; a step
//! is at most the size of the field and always needs its range. Months and days of the week may be named by their first
//! three letters, in any case, each name in its own field. `?` is `*`. Day of month also knows `L`, `15W` and, alone,
//! `LW`; day of week `FRI#2`, `FRI#L` and `FRIL` after a value, a range or a step, and `+` in front of the field. Apart
//! from the reference, a range with a step must lie in the field with both ends, not only with the values it steps on.

mod item;

use super::error::{CronError, Field};
use crate::calendar::Years;
use crate::preset;

use self::item::Range;

/// The longest pattern that is read: a list of all values in each field and a hundred years fits.
const PATTERN_BYTES_MAX: usize = 1024;

/// A pattern that follows the grammar.
pub(super) struct Checked {
    /// Seven fields in the form that the `croner` crate reads like the reference does. The year is a placeholder.
    pub(super) rewritten: String,
    /// The years, which the crate would end with 5000 and step from 1.
    pub(super) years: Years,
    /// Whether second, minute and hour are written without `*` and `/`.
    pub(super) written_as_time: bool,
}

/// Checks `pattern` and rewrites it.
pub(super) fn check(pattern: &str) -> Result<Checked, CronError> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(CronError::TooLong { length: pattern.len(), length_max: PATTERN_BYTES_MAX });
    }
    let plain = resolve_preset(pattern)?.replace('?', "*");
    let mut fields: Vec<&str> = plain.split_whitespace().collect();
    let count = fields.len();
    if !(5..=7).contains(&count) {
        return Err(CronError::FieldCount { pattern: pattern.to_owned(), count });
    }
    if count == 5 {
        fields.insert(0, "0");
    }
    let years = fields.get(6).map_or(Ok(Years::Every), |text| check_years(text))?;
    let mut rewritten = String::new();
    for (field, text) in [Field::Second, Field::Minute, Field::Hour].into_iter().zip(&fields) {
        rewritten.push_str(&rewrite_plain(field, text)?);
        rewritten.push(' ');
    }
    let days = rewrite_days(fields[3])?;
    let months = rewrite_plain(Field::Month, fields[4])?;
    let weekdays = rewrite_weekdays(fields[5])?;
    Ok(Checked {
        rewritten: format!("{rewritten}{days} {months} {weekdays} 2000"),
        years,
        written_as_time: !fields[..3].iter().any(|text| text.contains(['*', '/'])),
    })
}

/// The pattern that a preset stands for, or `pattern` itself.
fn resolve_preset(pattern: &str) -> Result<&str, CronError> {
    let name = pattern.trim();
    if !name.starts_with('@') {
        return Ok(pattern);
    }
    // The reference knows this second name of `@yearly`; it is read, but not listed.
    let known = if name.eq_ignore_ascii_case("@annually") { "@yearly" } else { name };
    match preset::find(known) {
        Some(preset) => Ok(preset.cron),
        None => Err(CronError::UnknownPreset { name: name.to_owned(), remedy: preset::remedy(name) }),
    }
}

fn check_years(text: &str) -> Result<Years, CronError> {
    if text == "*" {
        return Ok(Years::Every);
    }
    let mut years = Years::none();
    for item in item::split(Field::Year, text)? {
        for year in item::parse_range(Field::Year, text, item)?.values() {
            years.insert(year);
        }
    }
    Ok(years)
}

/// A field that knows no markers: second, minute, hour, month.
fn rewrite_plain(field: Field, text: &str) -> Result<String, CronError> {
    let mut rewritten = Vec::new();
    for item in item::split(field, text)? {
        rewritten.push(item::parse_range(field, text, item)?.to_string());
    }
    Ok(rewritten.join(","))
}

fn rewrite_days(text: &str) -> Result<String, CronError> {
    if text.eq_ignore_ascii_case("LW") {
        return Ok("LW".to_owned());
    }
    let items = item::split(Field::DayOfMonth, text)?;
    let is_last = |item: &&str| item.eq_ignore_ascii_case("L");
    let plain: Vec<&str> = items.iter().copied().filter(|item| !is_last(item)).collect();
    // Only a field that is exactly `*`, apart from `L`, leaves the choice of days to the day of week.
    if plain == ["*"] {
        return Ok("*".to_owned());
    }
    let mut rewritten: Vec<String> =
        items.iter().filter(|item| is_last(item)).map(|_| "L".to_owned()).collect();
    for item in plain {
        rewritten.push(rewrite_day(text, item)?);
    }
    Ok(rewritten.join(","))
}

fn rewrite_day(text: &str, item: &str) -> Result<String, CronError> {
    let invalid = |problem: &str| Err(item::invalid(Field::DayOfMonth, text, problem.to_owned()));
    if item.eq_ignore_ascii_case("LW") {
        return invalid("`LW` cannot be in a list; write it alone");
    }
    if item.contains(['L', 'l']) {
        return invalid("`L` is an item of its own: write `L`, `L,15` or, alone, `LW`");
    }
    let Some(day) = item.strip_suffix(['W', 'w']) else {
        return Ok(item::parse_range(Field::DayOfMonth, text, item)?.to_string());
    };
    if !day.bytes().all(|byte| byte.is_ascii_digit()) {
        return invalid("`W` follows one day of the month, such as `15W`");
    }
    Ok(format!("{}W", item::parse_value(Field::DayOfMonth, text, day)?))
}

fn rewrite_weekdays(text: &str) -> Result<String, CronError> {
    let (both, list) = match text.strip_prefix('+') {
        Some(list) => ("+", list),
        None => ("", text),
    };
    if list == "*" {
        return Ok(format!("{both}*"));
    }
    if list.is_empty() {
        let problem = "a day of the week must follow `+`, such as `+FRI`".to_owned();
        return Err(item::invalid(Field::DayOfWeek, text, problem));
    }
    let mut rewritten = Vec::new();
    for item in item::split(Field::DayOfWeek, list)? {
        rewritten.push(rewrite_weekday(text, item)?);
    }
    Ok(format!("{both}{}", rewritten.join(",")))
}

fn rewrite_weekday(text: &str, item: &str) -> Result<String, CronError> {
    let (days, marker) = match item.split_once('#') {
        Some((days, nth)) => (days, Some(check_nth(text, nth)?)),
        None => match item.strip_suffix(['L', 'l']) {
            Some(days) => (days, Some('L')),
            None => (item, None),
        },
    };
    if marker.is_some() && (days.is_empty() || days == "*") {
        let problem = "`L` and `#` follow a day of the week, such as `FRIL` or `FRI#2`".to_owned();
        return Err(item::invalid(Field::DayOfWeek, text, problem));
    }
    let days: Range = item::parse_range(Field::DayOfWeek, text, days)?;
    Ok(match marker {
        Some(marker) => format!("{days}#{marker}"),
        None => days.to_string(),
    })
}

/// Which one in the month: `1` to `5` or `L`.
fn check_nth(text: &str, nth: &str) -> Result<char, CronError> {
    let digits = nth.trim_start_matches('0');
    match digits {
        "1" | "2" | "3" | "4" | "5" => Ok(digits.chars().next().unwrap_or('1')),
        _ if nth.eq_ignore_ascii_case("L") => Ok('L'),
        _ => {
            let problem =
                "after `#` comes a number from 1 to 5, or `L` for the last one in the month".to_owned();
            Err(item::invalid(Field::DayOfWeek, text, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(pattern: &str) -> String {
        check(pattern).expect(pattern).rewritten
    }

    fn problem(pattern: &str) -> String {
        check(pattern).err().expect(pattern).to_string()
    }

    #[test]
    fn fields_are_rewritten_in_the_common_form() {
        for (pattern, expected) in [
            ("@Daily", "0-0/1 0-0/1 0-0/1 * 1-12/1 * 2000"),
            ("5 4 3 2 1 0", "5-5/1 4-4/1 3-3/1 2-2/1 1-1/1 0-0/1 2000"),
            ("*/15 9-17/2 1,*/10 JAN-mar ?", "0-0/1 0-59/15 9-17/2 1-1/1,1-31/10 1-3/1 * 2000"),
            ("0 0 *,15 * sat-SUN", "0-0/1 0-0/1 0-0/1 1-31/1,15-15/1 1-12/1 6-7/1 2000"),
            ("0 0 L,*,l * *", "0-0/1 0-0/1 0-0/1 * 1-12/1 * 2000"),
            ("0 0 lw * +*", "0-0/1 0-0/1 0-0/1 LW 1-12/1 +* 2000"),
            ("0 0 L,15w * *,1", "0-0/1 0-0/1 0-0/1 L,15W 1-12/1 0-6/1,1-1/1 2000"),
            ("0 0 ? * +5#02,MON-FRIL,*/2#l", "0-0/1 0-0/1 0-0/1 * 1-12/1 +5-5/1#2,1-5/1#L,0-6/2#L 2000"),
        ] {
            assert_eq!(rewritten(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_time_is_written_without_stars_and_steps() {
        let written_as_time = |pattern: &str| check(pattern).expect(pattern).written_as_time;
        assert!(written_as_time("30 2 * * *"));
        assert!(written_as_time("0,30 2-4 * * *"));
        assert!(!written_as_time("30 */24 * * *"));
        assert!(!written_as_time("? 30 2 * * *"));
    }

    #[test]
    fn each_message_names_field_value_and_remedy() {
        for (pattern, expected) in [
            ("60 * * * *", "minute field `60` of the cron pattern: `60` is not within 0-59"),
            ("MON * * * *", "minute field `MON` of the cron pattern: `MON` belongs in another field"),
            (
                "0 0 * * 5/2",
                "day of week field `5/2` of the cron pattern: a step needs a range: write `*/2` or `a-b/2`",
            ),
            ("0 0-70/20 * * *", "hour field `0-70/20` of the cron pattern: `70` is not within 0-23"),
            ("0 22-6 * * *", "the range 22-6 runs backwards; write two ranges"),
            ("*/61 * * * *", "the step `61` must be a number from 1 to 60"),
            ("0 0 * * 1,L", "`L` and `#` follow a day of the week, such as `FRIL`"),
            ("0 0 1,LW * *", "`LW` cannot be in a list"),
            ("0 0 15W/2 * *", "day of month field `15W/2`"),
            ("0 0 1 * +", "a day of the week must follow `+`, such as `+FRI`"),
            ("0 0 * * 5#6", "after `#` comes a number from 1 to 5, or `L`"),
            ("0 0 0 1 1 * 10000", "year field `10000` of the cron pattern: `10000` is not within 1-9999"),
            ("99999999999999999999 * * * *", "is not within 0-59"),
            ("0 0 * JUNE *", "`JUNE` is neither a number from 1 to 12 nor a name from JAN to DEC"),
            ("* * * *", "has 4 fields; write five"),
            ("@dayly", "`@dayly` is not a preset; did you mean `@daily`?"),
            ("@reboot", "the presets are @midnight, @daily"),
        ] {
            let problem = problem(pattern);
            assert!(problem.contains(expected), "{pattern}: {problem}");
        }
        assert_eq!(
            check(&"1".repeat(2000)).err(),
            Some(CronError::TooLong { length: 2000, length_max: PATTERN_BYTES_MAX })
        );
    }
}
