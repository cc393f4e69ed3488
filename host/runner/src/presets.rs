//! Presets: cron patterns with a name. The built-in ones are fixed; the operator may add others.

use std::sync::PoisonError;

use innkeeper_model::problem::FieldError;
use innkeeper_schedule::cron::Schedule;
use innkeeper_schedule::preset::{PRESETS, find};
use innkeeper_schedule::zone::Zone;
use innkeeper_store::Preset;

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

/// The presets that are part of the specification.
pub(crate) fn built_in() -> Vec<Preset> {
    let stored = |preset: &innkeeper_schedule::preset::Preset| Preset {
        name: preset.name.to_owned(),
        description: preset.description.to_owned(),
        cron: preset.cron.to_owned(),
    };
    PRESETS.iter().map(stored).collect()
}

impl TaskRunner {
    /// Every preset, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn presets(&self) -> Result<Vec<Preset>, RunnerError> {
        Ok(self.0.store.presets().await?)
    }

    /// Adds a preset, or changes one that is not built in. Tasks keep the pattern that they were created with. Returns
    /// whether it is new.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] with everything that is wrong with it.
    pub async fn put_preset(&self, preset: Preset) -> Result<bool, RunnerError> {
        let problems = check(&preset);
        if !problems.is_empty() {
            return Err(RunnerError::Invalid(problems));
        }
        self.0.store.put_preset(preset.clone()).await?;
        Ok(self.know_preset(&preset))
    }

    /// Has tasks that are defined from now on find a preset. Returns whether it is new.
    pub(crate) fn know_preset(&self, preset: &Preset) -> bool {
        let mut presets = self.0.presets.write().unwrap_or_else(PoisonError::into_inner);
        presets.insert(preset.name.clone(), preset.cron.clone()).is_none()
    }
}

/// Everything that is wrong with a preset.
pub(crate) fn check(preset: &Preset) -> Vec<FieldError> {
    let mut problems = Vec::new();
    let name = preset.name.strip_prefix('@').unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let message =
            format!("`{}` must be `@` and 1 to 64 characters of a-z, 0-9, `-` and `_`", preset.name);
        problems.push(FieldError::new("name", "invalid_name", message));
    } else if find(&preset.name).is_some() {
        let message = format!("`{}` is built in and cannot be changed", preset.name);
        problems.push(FieldError::new("name", "built_in", message));
    }
    if preset.cron.starts_with('@') {
        problems.push(FieldError::new("cron", "invalid_cron", "must be a pattern, not a preset's name"));
    } else if let Err(error) = Schedule::parse(&preset.cron, &Zone::utc()) {
        problems.push(FieldError::new("cron", "invalid_cron", error.to_string()));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, cron: &str) -> Vec<String> {
        let preset = Preset { name: name.to_owned(), description: String::new(), cron: cron.to_owned() };
        check(&preset).into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn a_preset_has_a_name_of_its_own_and_a_pattern() {
        assert!(refused("@quarter-hourly", "*/15 * * * *").is_empty());
        assert_eq!(refused("@daily", "0 1 * * *"), ["name"]);
        assert_eq!(refused("nightly", "99 * * * *"), ["name", "cron"]);
        assert_eq!(refused("@again", "@daily"), ["cron"]);
    }
}
