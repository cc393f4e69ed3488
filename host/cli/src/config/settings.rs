//! Every setting of a server: its key in the file, its variable, its default, and where its value comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::file::{self, Entry};
use super::mistakes::Mistake;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// `section.key`, as the file writes it.
    pub key: &'static str,
    /// The environment variable that overrides the file.
    pub variable: &'static str,
    /// What holds if nobody says anything; empty if that is nothing.
    pub default: &'static str,
}

const fn setting(key: &'static str, variable: &'static str, default: &'static str) -> Setting {
    Setting { key, variable, default }
}

/// Every setting, in the order in which they are shown.
pub const SETTINGS: [Setting; 60] = [
    setting("server.listen", "INNKEEPER_LISTEN", super::LISTEN_DEFAULT),
    setting("server.dataDir", "INNKEEPER_DATA_DIR", super::DATA_DIR_DEFAULT),
    setting("server.durability", "INNKEEPER_DURABILITY", "full"),
    setting("server.concurrency", "INNKEEPER_CONCURRENCY", "256"),
    setting("server.timezone", "INNKEEPER_TIMEZONE", "UTC"),
    setting("server.timezoneData", "INNKEEPER_TIMEZONE_DATA", "bundled"),
    setting("server.tokenFile", "INNKEEPER_TOKEN_FILE", ""),
    setting("server.secretKeyFile", "INNKEEPER_SECRET_KEY_FILE", ""),
    setting("server.logFormat", "INNKEEPER_LOG_FORMAT", "text"),
    setting("server.shutdownGrace", "INNKEEPER_SHUTDOWN_GRACE", "25s"),
    setting("server.diskFreeMin", "INNKEEPER_DISK_FREE_MIN", "256MiB"),
    setting("server.ballast", "INNKEEPER_BALLAST", "16MiB"),
    setting("limits.fuel", "INNKEEPER_LIMITS_FUEL", "1000000000"),
    setting("limits.timeout", "INNKEEPER_LIMITS_TIMEOUT", "30s"),
    setting("limits.memory", "INNKEEPER_LIMITS_MEMORY", "64MiB"),
    setting("limits.output", "INNKEEPER_LIMITS_OUTPUT", "64KiB"),
    setting("limits.log", "INNKEEPER_LIMITS_LOG", "64KiB"),
    setting("limits.hostCalls", "INNKEEPER_LIMITS_HOST_CALLS", "100000"),
    setting("limits.events", "INNKEEPER_LIMITS_EVENTS", "100"),
    setting("limits.eventData", "INNKEEPER_LIMITS_EVENT_DATA", "256KiB"),
    setting("limits.keyValue", "INNKEEPER_LIMITS_KEY_VALUE", "4MiB"),
    setting("limits.egressRequests", "INNKEEPER_LIMITS_EGRESS_REQUESTS", "20"),
    setting("limits.egressBytes", "INNKEEPER_LIMITS_EGRESS_BYTES", "8MiB"),
    setting("quotas.concurrency", "INNKEEPER_QUOTAS_CONCURRENCY", ""),
    setting("quotas.queuedRuns", "INNKEEPER_QUOTAS_QUEUED_RUNS", "1000000"),
    setting("quotas.storedBytes", "INNKEEPER_QUOTAS_STORED_BYTES", "10GiB"),
    setting("quotas.plugins", "INNKEEPER_QUOTAS_PLUGINS", "1000"),
    setting("quotas.tasks", "INNKEEPER_QUOTAS_TASKS", "1000000"),
    setting("quotas.eventsPerSecond", "INNKEEPER_QUOTAS_EVENTS_PER_SECOND", "20000"),
    setting("quotas.uploadsPerHour", "INNKEEPER_QUOTAS_UPLOADS_PER_HOUR", "1000"),
    setting("egress.allowNetworks", "INNKEEPER_EGRESS_ALLOW_NETWORKS", ""),
    setting("retention.executions", "INNKEEPER_RETENTION_EXECUTIONS", "30d"),
    setting("retention.executionsPerTask", "INNKEEPER_RETENTION_EXECUTIONS_PER_TASK", "1000"),
    setting("retention.events", "INNKEEPER_RETENTION_EVENTS", "7d"),
    setting("retention.skips", "INNKEEPER_RETENTION_SKIPS", "90d"),
    setting("retention.every", "INNKEEPER_RETENTION_EVERY", "10m"),
    setting("http.connections", "INNKEEPER_HTTP_CONNECTIONS", "1024"),
    setting("http.body", "INNKEEPER_HTTP_BODY", "4MiB"),
    setting("http.bodies", "INNKEEPER_HTTP_BODIES", "1GiB"),
    setting("http.bodyTimeout", "INNKEEPER_HTTP_BODY_TIMEOUT", "30s"),
    setting("http.header", "INNKEEPER_HTTP_HEADER", "16KiB"),
    setting("http.headerTimeout", "INNKEEPER_HTTP_HEADER_TIMEOUT", "30s"),
    setting("http.upload", "INNKEEPER_HTTP_UPLOAD", "32MiB"),
    setting("http.uploadTimeout", "INNKEEPER_HTTP_UPLOAD_TIMEOUT", "5m"),
    setting("http.uploads", "INNKEEPER_HTTP_UPLOADS", "4"),
    setting("http.writeTimeout", "INNKEEPER_HTTP_WRITE_TIMEOUT", "30s"),
    setting("http.drainTimeout", "INNKEEPER_HTTP_DRAIN_TIMEOUT", "10s"),
    setting("streams.messages", "INNKEEPER_STREAMS_MESSAGES", "4096"),
    setting("streams.bytes", "INNKEEPER_STREAMS_BYTES", "4MiB"),
    setting("streams.readers", "INNKEEPER_STREAMS_READERS", "256"),
    setting("streams.readersPerTenant", "INNKEEPER_STREAMS_READERS_PER_TENANT", "32"),
    setting("streams.heartbeat", "INNKEEPER_STREAMS_HEARTBEAT", "15s"),
    setting("sandbox.threads", "INNKEEPER_SANDBOX_THREADS", ""),
    setting("sandbox.compilations", "INNKEEPER_SANDBOX_COMPILATIONS", "2"),
    setting("sandbox.cache", "INNKEEPER_SANDBOX_CACHE", "2GiB"),
    setting("sandbox.loaded", "INNKEEPER_SANDBOX_LOADED", "512MiB"),
    setting("metrics.tenants", "INNKEEPER_METRICS_TENANTS", "100"),
    setting("telemetry.otlpEndpoint", "INNKEEPER_TELEMETRY_OTLP_ENDPOINT", ""),
    setting("telemetry.serviceName", "INNKEEPER_TELEMETRY_SERVICE_NAME", "innkeeper"),
    setting("telemetry.queue", "INNKEEPER_TELEMETRY_QUEUE", "8192"),
];

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A line of a file.
    File(PathBuf, usize),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => out.write_str(flag),
            Self::Variable(name) => out.write_str(name),
            Self::File(path, line) => write!(out, "{}:{line}", path.display()),
            Self::Default => out.write_str("default"),
        }
    }
}

/// A value as it was written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub text: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The value of every setting.
#[derive(Debug, Clone)]
pub struct Settings {
    values: BTreeMap<&'static str, Given>,
    mistakes: Vec<Mistake>,
}

impl Settings {
    /// Decides each setting: a flag, else the variable, else the file, else the default. A variable that is empty counts as
    /// absent. `flags` are keys with the flag's name and its value.
    ///
    /// # Errors
    /// The file cannot be read or is not TOML. A key that is unknown is told with the values that are wrong.
    pub fn gather(
        flags: Vec<(&'static str, &'static str, String)>,
        variable: impl Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let (entries, mistakes) = file.map(file::read).transpose()?.unwrap_or_default();
        let mut values: BTreeMap<_, _> = SETTINGS
            .iter()
            .map(|setting| (setting.key, below_flags(setting, &variable, file, &entries)))
            .collect();
        for (key, flag, text) in flags {
            values.insert(key, Given { text, origin: Origin::Flag(flag) });
        }
        Ok(Self { values, mistakes })
    }

    /// What is wrong with the file, its values left aside.
    pub(super) fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// Puts the default in the place of a value. Gives whether that is another one.
    pub(super) fn fall_back(&mut self, key: &'static str) -> bool {
        let default = SETTINGS.iter().find(|setting| setting.key == key).map(|setting| setting.default);
        let given = Given { text: default.unwrap_or_default().to_owned(), origin: Origin::Default };
        self.values.insert(key, given.clone()).is_some_and(|before| before != given)
    }

    /// The value under a key.
    ///
    /// # Panics
    /// If there is no such setting.
    #[must_use]
    pub fn get(&self, key: &str) -> &Given {
        self.values.get(key).expect("a key of the table of settings")
    }
}

fn below_flags(
    setting: &Setting,
    variable: impl Fn(&str) -> Option<String>,
    file: Option<&Path>,
    entries: &BTreeMap<String, Entry>,
) -> Given {
    if let Some(text) = variable(setting.variable).filter(|text| !text.is_empty()) {
        return Given { text, origin: Origin::Variable(setting.variable) };
    }
    match (entries.get(setting.key), file) {
        (Some(entry), Some(path)) => {
            Given { text: entry.text.clone(), origin: Origin::File(path.to_owned(), entry.line) }
        }
        _ => Given { text: setting.default.to_owned(), origin: Origin::Default },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("innkeeper.toml");
        std::fs::write(&path, "[server]\nlisten = 'file'\ntimezone = 'file'\n\nlogFormat = 'file'")
            .expect("a file");
        let flags = vec![("server.listen", "--listen", "flag".to_owned())];
        let variable = |name: &str| match name {
            "INNKEEPER_LISTEN" | "INNKEEPER_TIMEZONE" => Some("variable".to_owned()),
            "INNKEEPER_LOG_FORMAT" => Some(String::new()),
            _ => None,
        };
        let settings = Settings::gather(flags, variable, Some(&path)).expect("settings");
        let shown = |key| {
            let given = settings.get(key);
            (given.text.as_str(), given.origin.clone())
        };
        assert_eq!(shown("server.listen"), ("flag", Origin::Flag("--listen")));
        assert_eq!(shown("server.timezone"), ("variable", Origin::Variable("INNKEEPER_TIMEZONE")));
        assert_eq!(shown("server.logFormat"), ("file", Origin::File(path, 5)));
        assert_eq!(shown("server.durability"), ("full", Origin::Default));
    }

    #[test]
    fn every_key_and_every_variable_is_there_once() {
        let keys: std::collections::BTreeSet<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        let variables: std::collections::BTreeSet<_> =
            SETTINGS.iter().map(|setting| setting.variable).collect();
        assert_eq!((keys.len(), variables.len()), (SETTINGS.len(), SETTINGS.len()));
    }
}
