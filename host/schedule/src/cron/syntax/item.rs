//! The items of a field: values, names, ranges and steps.

use std::fmt;

use crate::cron::error::{CronError, Field};

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The values of one item: from the first to the last one in steps. All lie in the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    first: u16,
    last: u16,
    step: u16,
}

impl Range {
    pub(super) fn values(self) -> impl Iterator<Item = usize> {
        (usize::from(self.first)..=usize::from(self.last)).step_by(usize::from(self.step))
    }
}

/// The form that the `croner` crate reads in a list, in a range and with a marker alike.
impl fmt::Display for Range {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}/{}", self.first, self.last, self.step)
    }
}

impl Field {
    /// The lowest and the highest value.
    fn bounds(self) -> (u16, u16) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
            Self::Year => (1, 9999),
        }
    }

    /// What `*` with a step stands for.
    fn all(self, step: u16) -> Range {
        let (first, last) = self.bounds();
        match self {
            // Sunday is not stepped on twice.
            Self::DayOfWeek => Range { first, last: 6, step },
            // The reference counts years from 0, which is no year itself.
            Self::Year => Range { first: step.min(last), last, step },
            _ => Range { first, last, step },
        }
    }

    /// The largest step: the number of values that the reference keeps for the field.
    fn step_max(self) -> u16 {
        match self {
            Self::Second | Self::Minute => 60,
            Self::Hour => 24,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 7,
            Self::Year => 9999,
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &WEEKDAYS,
            _ => &[],
        }
    }
}

pub(super) fn invalid(field: Field, text: &str, problem: String) -> CronError {
    CronError::InvalidField { field, value: text.to_owned(), problem }
}

/// The items of the list `text`, none of which is empty.
pub(super) fn split(field: Field, text: &str) -> Result<Vec<&str>, CronError> {
    let items: Vec<&str> = text.split(',').collect();
    if items.contains(&"") {
        return Err(invalid(field, text, "an item of the list is empty; remove the stray comma".to_owned()));
    }
    Ok(items)
}

/// An item without markers; `text` is the whole field, for the message.
pub(super) fn parse_range(field: Field, text: &str, item: &str) -> Result<Range, CronError> {
    let (values, step) = match item.split_once('/') {
        Some((values, step)) => (values, Some(parse_step(field, text, step)?)),
        None => (item, None),
    };
    if values == "*" {
        return Ok(field.all(step.unwrap_or(1)));
    }
    let Some((first, last)) = values.split_once('-') else {
        if step.is_some() {
            let problem = format!("a step needs a range: write `*/{0}` or `a-b/{0}`", step.unwrap_or(1));
            return Err(invalid(field, text, problem));
        }
        let value = parse_value(field, text, values)?;
        return Ok(Range { first: value, last: value, step: 1 });
    };
    let first = parse_value(field, text, first)?;
    // A range that ends with Sunday means the Sunday after Saturday.
    let last = if last.eq_ignore_ascii_case(WEEKDAYS[0]) && field == Field::DayOfWeek {
        7
    } else {
        parse_value(field, text, last)?
    };
    if first > last {
        let problem =
            format!("the range {first}-{last} runs backwards; write two ranges, separated by a comma");
        return Err(invalid(field, text, problem));
    }
    Ok(Range { first, last, step: step.unwrap_or(1) })
}

/// A number in the field, or one of its names.
pub(super) fn parse_value(field: Field, text: &str, value: &str) -> Result<u16, CronError> {
    let (lowest, highest) = field.bounds();
    if let Some(index) = field.names().iter().position(|name| name.eq_ignore_ascii_case(value)) {
        // A field has at most twelve names.
        return Ok(lowest + u16::try_from(index).unwrap_or(0));
    }
    match parse_number(value) {
        Some(number) if (lowest..=highest).contains(&number) => Ok(number),
        Some(_) => Err(invalid(field, text, format!("`{value}` is not within {lowest}-{highest}"))),
        None => Err(invalid(field, text, describe_stray(field, value))),
    }
}

fn parse_step(field: Field, text: &str, step: &str) -> Result<u16, CronError> {
    let step_max = field.step_max();
    match parse_number(step) {
        Some(number) if (1..=step_max).contains(&number) => Ok(number),
        _ => Err(invalid(field, text, format!("the step `{step}` must be a number from 1 to {step_max}"))),
    }
}

/// A number in ASCII digits, and nothing else; whatever is too large for any field is `u16::MAX`.
fn parse_number(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u16::MAX))
}

/// What to do about `value`, which is neither a number nor a name of the field.
fn describe_stray(field: Field, value: &str) -> String {
    let (lowest, highest) = field.bounds();
    let names = field.names();
    let is_name = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(value));
    if value.is_empty() {
        "a value is missing beside `-` or `/`".to_owned()
    } else if is_name(&MONTHS) || is_name(&WEEKDAYS) {
        format!("`{value}` belongs in another field; write a number from {lowest} to {highest}")
    } else if let (Some(first), Some(last)) = (names.first(), names.last()) {
        format!("`{value}` is neither a number from {lowest} to {highest} nor a name from {first} to {last}")
    } else {
        format!("`{value}` is not a number from {lowest} to {highest}")
    }
}
