//! The named schedules.

use serde::Serialize;

/// A named schedule, as the API lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Preset {
    /// The name with its `@`, in lower case.
    pub name: &'static str,
    /// What it means, for people.
    pub description: &'static str,
    /// The five-field cron pattern that it stands for.
    pub cron: &'static str,
}

/// All presets, the most frequently needed first.
pub const PRESETS: [Preset; 6] = [
    Preset { name: "@midnight", description: "Every day at midnight (00:00)", cron: "0 0 * * *" },
    Preset { name: "@daily", description: "Every day at midnight (00:00)", cron: "0 0 * * *" },
    Preset { name: "@hourly", description: "Every hour at minute 0", cron: "0 * * * *" },
    Preset { name: "@weekly", description: "Every Sunday at midnight", cron: "0 0 * * 0" },
    Preset { name: "@monthly", description: "First day of every month at midnight", cron: "0 0 1 * *" },
    Preset { name: "@yearly", description: "January 1st at midnight", cron: "0 0 1 1 *" },
];

/// The preset called `name`, in any letter case; `None` if there is none. The `@` is part of the name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name.eq_ignore_ascii_case(name))
}

/// What to write instead of `name`, which is no preset: the nearest one, or all of them.
pub(crate) fn remedy(name: &str) -> String {
    let wanted: String = name.to_ascii_lowercase().split_whitespace().collect();
    let nearest = PRESETS
        .iter()
        .map(|preset| (strsim::osa_distance(&wanted, preset.name), preset.name))
        .filter(|(distance, _)| *distance <= 2)
        .min();
    match nearest {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None => format!("the presets are {}", PRESETS.map(|preset| preset.name).join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cron::Schedule;
    use crate::zone::Zone;

    #[test]
    fn names_are_found_in_any_letter_case() {
        assert_eq!(find("@Midnight").map(|preset| preset.cron), Some("0 0 * * *"));
        assert_eq!(find("@YEARLY").map(|preset| preset.name), Some("@yearly"));
        assert_eq!(find("midnight"), None);
        assert_eq!(find("@ daily"), None);
    }

    #[test]
    fn each_pattern_is_a_valid_schedule() {
        for preset in &PRESETS {
            Schedule::parse(preset.cron, &Zone::utc()).expect(preset.name);
        }
    }
}
