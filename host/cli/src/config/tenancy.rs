//! The tables `[limits]` and `[quotas]`.

use anyhow::{Context as _, anyhow};
use innkeeper_model::limits::Limits;
use innkeeper_model::problem::FieldError;
use innkeeper_model::quota::{Quota, QuotaWishes, Quotas};
use innkeeper_model::task_config::LimitsConfig;
use innkeeper_runner::define_limits;

use super::check_keys;

/// The limits of the host: the defaults, with what `[limits]` says in their place.
///
/// # Errors
/// A key is unknown or a value is not valid.
pub(super) fn limits(table: Option<toml::Value>) -> anyhow::Result<Limits> {
    let Some(table) = table else { return Ok(Limits::DEFAULT) };
    let written = serde_json::to_value(table).context("[limits]")?;
    let read = LimitsConfig::from_json(written).and_then(|config| define_limits(&config));
    Ok(Limits::DEFAULT.overridden(&read.map_err(|problems| anyhow!(describe(&problems)))?))
}

/// The quotas of tenants for which nothing else is set: the defaults, with what `[quotas]` says in their place.
///
/// # Errors
/// A key is unknown or a value is not valid.
pub(super) fn quotas(table: Option<toml::Value>) -> anyhow::Result<Quotas> {
    let Some(table) = table else { return Ok(Quotas::DEFAULT) };
    if let Some(table) = table.as_table() {
        check_keys(table, &Quota::ALL.map(Quota::as_str), "quotas.")?;
    }
    let set: QuotaWishes = table.try_into().context("[quotas]")?;
    if set.concurrency == Some(0) {
        return Err(anyhow!("quotas.concurrency must be at least 1"));
    }
    Ok(Quotas::DEFAULT.overridden(&set))
}

fn describe(problems: &[FieldError]) -> String {
    let lines = problems.iter().map(|problem| format!("{} {}", problem.field, problem.message));
    lines.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> toml::Value {
        toml::Value::Table(text.parse().expect("TOML"))
    }

    #[test]
    fn what_is_set_takes_the_place_of_the_default() {
        assert_eq!(limits(None).expect("limits"), Limits::DEFAULT);
        let set = limits(Some(table("fuel = 5_000_000_000\ntimeout = '1m'"))).expect("limits");
        assert_eq!((set.fuel, set.timeout.as_secs()), (5_000_000_000, 60));
        assert_eq!(set.memory_bytes, Limits::DEFAULT.memory_bytes);
        let set = quotas(Some(table("tasks = 10\neventsPerSecond = 5"))).expect("quotas");
        assert_eq!((set.tasks, set.events_per_second), (10, 5));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in
            [("feul = 1", "`fuel`"), ("fuel = 0", "limits.fuel"), ("timeout = 5", "limits.timeout")]
        {
            let error = format!("{:#}", limits(Some(table(text))).expect_err("refused"));
            assert!(error.contains(expected), "{text}: {error}");
        }
        for (text, expected) in
            [("task = 1", "`tasks`"), ("tasks = -1", "[quotas]"), ("concurrency = 0", "at least 1")]
        {
            let error = format!("{:#}", quotas(Some(table(text))).expect_err("refused"));
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
