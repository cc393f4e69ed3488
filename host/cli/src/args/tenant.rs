//! `tenant`.

use clap::{Args, Subcommand};
use innkeeper_model::id::TenantId;
use innkeeper_schedule::duration::parse_duration;
use serde_json::Value;

use crate::config::parse_bytes;

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub enum TenantVerb {
    /// Create a tenant.
    Create {
        /// Its name: a-z, 0-9 and `-`.
        id: TenantId,
        /// What is set for it.
        #[command(flatten)]
        settings: Settings,
    },
    /// List the tenants.
    List,
    /// Show a tenant with its limits, its quotas and what it uses.
    Show {
        /// Its name; the tenant that the token belongs to, or `--tenant` names, unless it is given.
        id: Option<TenantId>,
    },
    /// Change what is set for a tenant. What is not named stays.
    Set {
        /// Its name.
        id: TenantId,
        /// What to set.
        #[command(flatten)]
        settings: Settings,
    },
    /// Have nothing of a tenant run, and take nothing from it. Its data stays.
    Disable {
        /// Its name.
        id: TenantId,
    },
    /// Let a disabled tenant run again.
    Enable {
        /// Its name.
        id: TenantId,
    },
    /// Delete a tenant with everything it owns. There is no way back.
    Delete {
        /// Its name.
        id: TenantId,
        /// Its name again, to be sure.
        #[arg(long, value_name = "TENANT")]
        confirm: TenantId,
    },
}

/// What is set for a tenant.
#[derive(Debug, Default, Args)]
pub struct Settings {
    /// Its share of the starts while several tenants wait, 1 to 100.
    #[arg(long, value_name = "COUNT")]
    pub weight: Option<u32>,
    /// IANA time zone of its tasks that name none; `-` for the host's.
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// A quota, such as `tasks=100`; `-` as the value for the host's default. Names: concurrency, queuedRuns,
    /// storedBytes, plugins, tasks, eventsPerSecond, uploadsPerHour.
    #[arg(long = "quota", value_name = "NAME=VALUE", value_parser = pair)]
    pub quotas: Vec<(String, Value)>,
    /// A limit of each execution, such as `timeout=5s` or `memory=32MiB`; `-` as the value for the host's. Names: fuel, timeout, memory,
    /// output, log, hostCalls, events, keyValue, egressRequests, egressBytes.
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = pair)]
    pub limits: Vec<(String, Value)>,
}

/// Limits and quotas that are numbers of bytes.
const BYTES: [&str; 6] = ["memory", "output", "log", "keyValue", "egressBytes", "storedBytes"];

/// `name=value`; nothing if the value is `-`, a number of bytes if that is what the name means, such as `memory=32MiB`, or
/// else a number if it reads as one. Which names there are, the server says.
pub(super) fn pair(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE, such as tasks=100")?;
    let value = match value {
        "-" => Value::Null,
        value if BYTES.contains(&name) => parse_bytes(value).map_err(|error| error.to_string())?.into(),
        value if name == "timeout" => {
            parse_duration(value).map_err(|error| error.to_string())?;
            value.into()
        }
        value => value.parse::<u64>().map_or_else(|_| value.into(), Value::from),
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_written_with_their_units() {
        let named = |name: &str, value: Value| Ok((name.to_owned(), value));
        assert_eq!(pair("memory=32MiB"), named("memory", (32 << 20).into()));
        assert_eq!(pair("storedBytes=4096"), named("storedBytes", 4096.into()));
        assert_eq!(pair("memory=-"), named("memory", Value::Null));
        assert_eq!(pair("timeout=5s"), named("timeout", "5s".into()));
        assert_eq!(pair("tasks=5"), named("tasks", 5.into()));
        assert!(pair("memory=lots").is_err_and(|error| error.contains("such as 64MiB")));
        assert!(pair("timeout=5").is_err_and(|error| error.contains("write `5s`")));
        assert!(pair("tasks").is_err());
    }
}
