//! What can be wrong with a cron pattern.

use std::fmt;

/// A field of a cron pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// 0 to 59; only in patterns of six and seven fields.
    Second,
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31, `L`, `LW`, `15W`.
    DayOfMonth,
    /// 1 to 12, `JAN` to `DEC`.
    Month,
    /// 0 to 7 (0 and 7 are Sunday), `SUN` to `SAT`, `FRI#2`, `FRIL`.
    DayOfWeek,
    /// 1 to 9999; only in patterns of seven fields.
    Year,
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
            Self::Year => "year",
        })
    }
}

/// Why a cron pattern was refused. Each message names the value and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// More text than any schedule needs.
    #[error("the cron pattern is {length} bytes long; at most {length_max} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        length_max: usize,
    },
    /// Not five, six or seven fields.
    #[error(
        "cron pattern `{pattern}` has {count} fields; write five (minute, hour, day of month, month, day of week), \
         six (second first) or seven (year last), separated by spaces, or a preset such as `@daily`"
    )]
    FieldCount {
        /// The pattern as given.
        pattern: String,
        /// How many fields it has.
        count: usize,
    },
    /// A word with `@` that is no preset.
    #[error("`{name}` is not a preset; {remedy}")]
    UnknownPreset {
        /// The pattern as given.
        name: String,
        /// What to write instead.
        remedy: String,
    },
    /// One field is wrong.
    #[error("{field} field `{value}` of the cron pattern: {problem}")]
    InvalidField {
        /// Which one.
        field: Field,
        /// Its text.
        value: String,
        /// What is wrong with it, and the remedy.
        problem: String,
    },
    /// No date has what the pattern asks for.
    #[error("cron pattern `{pattern}` never fires: no date matches; check day, month, weekday and year")]
    NeverFires {
        /// The pattern as given.
        pattern: String,
    },
    /// The `croner` crate refused what passed the checks here.
    #[error("cron pattern `{pattern}` cannot be read: {reason}")]
    Unreadable {
        /// The pattern as given.
        pattern: String,
        /// What the crate says.
        reason: String,
    },
}
