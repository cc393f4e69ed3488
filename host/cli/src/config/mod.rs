//! The settings of `serve`: gathered from flags, environment and file, then resolved once into values that cannot be wrong.

mod check;
mod file;
mod mistakes;
mod secret_key;
mod settings;
mod streams;
mod telemetry;
mod token;
mod value;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::bail;
use innkeeper_admin::{AdminConfig, Token};
use innkeeper_model::egress::{EgressPolicy, Network};
use innkeeper_model::limits::Limits;
use innkeeper_model::quota::Quotas;
use innkeeper_runner::{Retention, RunnerConfig};
use innkeeper_sandbox::SandboxConfig;
use innkeeper_store::Durability;

pub(crate) use self::check::check;
pub use self::file::check_keys;
pub(crate) use self::mistakes::Mistakes;
pub(crate) use self::secret_key::{find as find_secret_key, read as read_secret_key};
pub use self::settings::{Given, Origin, SETTINGS, Setting, Settings};
pub use self::telemetry::TelemetryConfig;
pub(crate) use self::value::parse_bytes;

use self::mistakes::Wrong;
use self::value::{parse_durability, parse_listen, parse_log_format, parse_networks, parse_timezone_data};
use crate::args::ServeArgs;

/// Where `serve` and `dev` listen unless told otherwise.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:7070";
/// Where `serve` keeps its data unless told otherwise.
pub const DATA_DIR_DEFAULT: &str = "innkeeper-data";

/// How a server is to run.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address and port; port 0 means a free one.
    pub listen: SocketAddr,
    /// Where data is kept.
    pub storage: Storage,
    /// When a write counts as done.
    pub durability: Durability,
    /// Bytes of the disk that are given up when it is full, so that deletions work.
    pub ballast_bytes: u64,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// The runner's settings.
    pub runner: RunnerConfig,
    /// The sandbox's, but for where it keeps compiled plugins.
    pub sandbox: SandboxConfig,
    /// The admin API's, with the token that clients must show; without one everybody is let in who can connect.
    pub admin: AdminConfig,
    /// How the runner's spans are exported, if they are.
    pub telemetry: Option<TelemetryConfig>,
}

/// Where a server keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere: it is gone when the server stops.
    Memory,
    /// In this folder, which one server at a time owns.
    Directory(PathBuf),
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl ServerConfig {
    /// Gathers and resolves everything that the flags, the environment and the files say. `token` is the one of the
    /// environment.
    ///
    /// # Errors
    /// A file cannot be read or has a key that is unknown, a value is not valid, or the server would be open to the
    /// network without a token.
    pub fn load(args: &ServeArgs, token: Option<&str>) -> anyhow::Result<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        let settings = Settings::gather(args.flags(), variable, args.config.as_deref())?;
        Self::resolve(&settings, args.memory, token)
    }

    /// A server for whoever sits at this machine. Where it listens, its listener knows. Its plugins may reach what else
    /// runs on the machine: that is what a developer tries them against.
    #[must_use]
    pub fn local(storage: Storage) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage,
            durability: Durability::Full,
            ballast_bytes: 0,
            log_format: LogFormat::Text,
            runner: RunnerConfig::default(),
            sandbox: SandboxConfig {
                egress: EgressPolicy { allowed: Network::LOOPBACK.to_vec(), ..EgressPolicy::default() },
                ..SandboxConfig::default()
            },
            admin: AdminConfig::default(),
            telemetry: None,
        }
    }

    /// Reads each setting in its form.
    ///
    /// # Errors
    /// As [`ServerConfig::load`]: every key that is unknown and every value that is wrong, at once.
    pub fn resolve(settings: &Settings, memory: bool, token: Option<&str>) -> anyhow::Result<Self> {
        let mut mistakes = settings.mistakes().to_vec();
        let mut tried = settings.clone();
        loop {
            // A default takes the place of what is wrong, so that the next one is found.
            let error = match Self::resolve_all(&tried, memory, token) {
                Ok(config) if mistakes.is_empty() => return Ok(config),
                Ok(_) => break,
                Err(error) => error,
            };
            match error.downcast::<Wrong>() {
                Ok(wrong) if tried.fall_back(wrong.key) => mistakes.push(wrong.into()),
                Ok(wrong) => return Err(wrong.into()),
                Err(error) if mistakes.is_empty() => return Err(error),
                // It may be because of a default.
                Err(_) => break,
            }
        }
        Err(Mistakes::new(mistakes).into())
    }

    fn resolve_all(settings: &Settings, memory: bool, token: Option<&str>) -> anyhow::Result<Self> {
        let token = match settings.get("server.tokenFile").text.as_str() {
            "" => token.map(|text| token::parse("INNKEEPER_TOKEN", text)).transpose()?,
            _ => Some(settings.read("server.tokenFile", |path| token::read(Path::new(path)))?),
        };
        let directory = PathBuf::from(&settings.get("server.dataDir").text);
        let (telemetry, spans) = telemetry::resolve(settings)?.unzip();
        let runner = RunnerConfig { spans, ..runner(settings)? };
        let config = Self {
            listen: settings.read("server.listen", parse_listen)?,
            storage: if memory { Storage::Memory } else { Storage::Directory(directory) },
            durability: settings.read("server.durability", parse_durability)?,
            ballast_bytes: settings.bytes("server.ballast")?,
            log_format: settings.read("server.logFormat", parse_log_format)?,
            sandbox: sandbox(settings, &runner)?,
            admin: streams::readers(settings, admin(settings, token)?)?,
            telemetry,
            runner,
        };
        refuse_open_door(config.listen, config.admin.token.is_some())?;
        Ok(config)
    }
}

fn runner(settings: &Settings) -> anyhow::Result<RunnerConfig> {
    let timezone_data = settings.read("server.timezoneData", parse_timezone_data)?;
    Ok(RunnerConfig {
        timezone: settings.read("server.timezone", |text| Ok(timezone_data.zone(text)?))?,
        timezone_data,
        concurrency: u32::try_from(settings.count("server.concurrency", 1, 65_536)?)?,
        limits: limits(settings)?,
        event_data_bytes_max: settings.bytes_in_memory("limits.eventData")?,
        retention: Retention {
            executions: settings.age("retention.executions")?,
            executions_per_task: settings.number_or_forever("retention.executionsPerTask")?,
            events: settings.age("retention.events")?,
            skips: settings.age("retention.skips")?,
            every: settings.duration("retention.every")?,
        },
        metric_tenants_max: usize::try_from(settings.count("metrics.tenants", 0, 10_000)?)?,
        feeds: streams::feeds(settings)?,
        spans: None,
        shutdown_grace: settings.duration("server.shutdownGrace")?,
        quotas: quotas(settings)?,
        secret_key: match settings.get("server.secretKeyFile").text.as_str() {
            "" => secret_key::find(None)?,
            _ => settings.read("server.secretKeyFile", |path| secret_key::find(Some(Path::new(path))))?,
        },
    })
}

fn quotas(settings: &Settings) -> anyhow::Result<Quotas> {
    let concurrency = match settings.get("quotas.concurrency").text.as_str() {
        "" => None,
        _ => Some(u32::try_from(settings.count("quotas.concurrency", 1, 65_536)?)?),
    };
    Ok(Quotas {
        concurrency,
        queued_runs: settings.count("quotas.queuedRuns", 0, u64::MAX)?,
        stored_bytes: settings.bytes("quotas.storedBytes")?,
        plugins: settings.count("quotas.plugins", 0, u64::MAX)?,
        tasks: settings.count("quotas.tasks", 0, u64::MAX)?,
        events_per_second: settings.count("quotas.eventsPerSecond", 0, u64::MAX)?,
        uploads_per_hour: settings.count("quotas.uploadsPerHour", 0, u64::MAX)?,
    })
}

fn limits(settings: &Settings) -> anyhow::Result<Limits> {
    Ok(Limits {
        fuel: settings.count("limits.fuel", 1, u64::MAX)?,
        timeout: settings.duration("limits.timeout")?,
        memory_bytes: settings.bytes("limits.memory")?,
        output_bytes: settings.bytes("limits.output")?,
        log_bytes: settings.bytes("limits.log")?,
        host_calls: settings.count("limits.hostCalls", 1, u64::MAX)?,
        events: settings.count("limits.events", 0, u64::MAX)?,
        key_value_bytes: settings.bytes("limits.keyValue")?,
        egress_requests: settings.count("limits.egressRequests", 0, u64::MAX)?,
        egress_bytes: settings.bytes("limits.egressBytes")?,
    })
}

fn sandbox(settings: &Settings, runner: &RunnerConfig) -> anyhow::Result<SandboxConfig> {
    let default = SandboxConfig::default();
    let guest_threads = match settings.get("sandbox.threads").text.as_str() {
        "" => default.guest_threads,
        _ => usize::try_from(settings.count("sandbox.threads", 1, 1024)?)?,
    };
    Ok(SandboxConfig {
        concurrency: runner.concurrency,
        memory_bytes_max: runner.limits.memory_bytes,
        guest_threads,
        cache_bytes_max: settings.bytes("sandbox.cache")?,
        loaded_bytes_max: settings.bytes("sandbox.loaded")?,
        upload_bytes_max: settings.bytes("http.upload")?,
        compilations: u32::try_from(settings.count("sandbox.compilations", 1, 64)?)?,
        egress: EgressPolicy {
            allowed: settings.read("egress.allowNetworks", parse_networks)?,
            ..EgressPolicy::default()
        },
        ..default
    })
}

fn admin(settings: &Settings, token: Option<Token>) -> anyhow::Result<AdminConfig> {
    Ok(AdminConfig {
        token,
        upload_bytes_max: settings.bytes_in_memory("http.upload")?,
        uploads_max: usize::try_from(settings.count("http.uploads", 1, 1024)?)?,
        body_bytes_max: settings.bytes_in_memory("http.body")?,
        bodies_bytes_max: settings.bytes_in_memory("http.bodies")?,
        connections_max: usize::try_from(settings.count("http.connections", 1, 1 << 20)?)?,
        header_bytes_max: settings.bytes_in_memory("http.header")?,
        header_timeout: settings.duration("http.headerTimeout")?,
        body_timeout: settings.duration("http.bodyTimeout")?,
        upload_timeout: settings.duration("http.uploadTimeout")?,
        write_timeout: settings.duration("http.writeTimeout")?,
        disk_free_min: settings.bytes("server.diskFreeMin")?,
        drain_timeout: settings.duration("http.drainTimeout")?,
        ..AdminConfig::default()
    })
}

/// Everybody who can connect may run code here, so that must be nobody but this machine unless there is a token.
fn refuse_open_door(listen: SocketAddr, has_token: bool) -> anyhow::Result<()> {
    if has_token || listen.ip().is_loopback() {
        return Ok(());
    }
    bail!(
        "refusing to listen on {listen} without a token: anybody on the network could run code here; set \
         INNKEEPER_TOKEN or --token-file FILE, or listen on 127.0.0.1:{}",
        listen.port()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(values: &[(&str, &str)]) -> Settings {
        let variable = |name: &str| {
            let setting = SETTINGS.iter().find(|setting| setting.variable == name)?;
            let value = values.iter().find(|(key, _)| *key == setting.key)?;
            Some(value.1.to_owned())
        };
        Settings::gather(Vec::new(), variable, None).expect("settings")
    }

    fn resolve(values: &[(&str, &str)], token: Option<&str>) -> anyhow::Result<ServerConfig> {
        ServerConfig::resolve(&settings(values), false, token)
    }

    #[test]
    fn without_settings_the_defaults_hold() {
        let config = resolve(&[], None).expect("a valid configuration");
        assert_eq!(config.listen.to_string(), LISTEN_DEFAULT);
        assert_eq!(config.storage, Storage::Directory(DATA_DIR_DEFAULT.into()));
        assert_eq!((config.durability, config.log_format), (Durability::Full, LogFormat::Text));
        assert_eq!(format!("{:?}", config.runner), format!("{:?}", RunnerConfig::default()));
        assert_eq!(config.sandbox, SandboxConfig::default());
        assert_eq!(format!("{:?}", config.admin), format!("{:?}", AdminConfig::default()));
    }

    #[test]
    fn a_flag_wins() {
        let args = ServeArgs { listen: Some("localhost:0".to_owned()), ..ServeArgs::default() };
        let settings = Settings::gather(args.flags(), |_| Some("127.0.0.1:1".to_owned()), None);
        let listen = settings.expect("settings").read("server.listen", parse_listen);
        assert_eq!(listen.expect("an address").to_string(), "127.0.0.1:0");
    }

    #[test]
    fn a_value_that_is_wrong_is_named_with_what_would_be_right() {
        for (key, value, expected) in [
            (
                "server.listen",
                "here",
                "server.listen (INNKEEPER_LISTEN): `here` must be an address and a port",
            ),
            ("server.concurrency", "0", "it must be 1 to 65536"),
            ("server.durability", "max", "`max` must be `full` or `normal`"),
            ("server.timezoneData", "none", "`none` must be `bundled` or `system`"),
            ("server.logFormat", "xml", "`xml` must be `text` or `json`"),
            ("server.timezone", "Europe/Roma", "Europe/Rome"),
            ("limits.memory", "much", "such as 64MiB"),
            ("retention.skips", "0s", "must be more than nothing"),
            (
                "streams.heartbeat",
                "1m",
                "streams.heartbeat (INNKEEPER_STREAMS_HEARTBEAT): `1m` must be at most 30s",
            ),
            ("streams.readers", "0", "it must be 1 to 65536"),
            ("telemetry.otlpEndpoint", "here", "`here` must be the URL of a collector"),
        ] {
            let message = format!("{:#}", resolve(&[(key, value)], None).expect_err("a refusal"));
            assert!(message.contains(expected), "{key}: {message}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_file_is_told_at_once_in_its_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.toml");
        let text = "[server]\nlistn = 'x'\nlisten = '0.0.0.0:1'\ntokenFile = 'no/such/file'\n[limts]\nfuel = 1\n[limits]\n\
                    timeout = 5\nmemory = 'lots'\n[retention]\nexecutions = '5'\nexecutionsPerTask = -1\n";
        std::fs::write(&path, text).expect("a file");
        let variable = |name: &str| (name == "INNKEEPER_CONCURRENCY").then(|| "none".to_owned());
        let settings = Settings::gather(Vec::new(), variable, Some(&path)).expect("settings");
        let error = ServerConfig::resolve(&settings, false, None).expect_err("a refusal");
        let told = format!("{error:#}").replace(&path.display().to_string(), "a.toml");
        let lines: Vec<_> = told.lines().collect();
        let expected = [
            "a.toml:2: `server.listn` is not a known key; did you mean `listen`?",
            "a.toml:4: server.tokenFile: cannot read the token file no/such/file",
            "a.toml:5: `limts` is not a known key; did you mean `limits`?",
            "a.toml:8: limits.timeout: duration `5` has no unit",
            "a.toml:9: limits.memory: `lots` must be a number of bytes",
            "a.toml:11: retention.executions: duration `5` has no unit",
            "a.toml:12: retention.executionsPerTask: is `-1`: it must be 1 to",
            "server.concurrency (INNKEEPER_CONCURRENCY): is `none`",
        ];
        assert_eq!(lines.len(), expected.len(), "{told}");
        assert!(lines.iter().zip(expected).all(|(line, begin)| line.starts_with(begin)), "{told}");
        let programs = error.downcast_ref::<Mistakes>().expect("mistakes").to_json();
        assert_eq!((&programs[0]["line"], &programs[7]["line"]), (&2.into(), &serde_json::Value::Null));
    }

    #[test]
    fn plugins_reach_public_addresses_only_unless_the_operator_says_otherwise() {
        let networks = |values: &[(&str, &str)]| {
            let config = resolve(values, None).expect("a valid configuration");
            config.sandbox.egress.allowed.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(networks(&[]).is_empty());
        assert_eq!(
            networks(&[("egress.allowNetworks", "10.0.0.0/8, fd00::1")]),
            ["10.0.0.0/8", "fd00::1/128"]
        );
        let wrong = resolve(&[("egress.allowNetworks", "10.0.0/8")], None).expect_err("a refusal");
        assert!(format!("{wrong:#}").contains("`10.0.0/8` names no network"), "{wrong:#}");
        assert_eq!(ServerConfig::local(Storage::Memory).sandbox.egress.allowed, Network::LOOPBACK);
    }

    #[test]
    fn the_network_is_only_let_in_with_a_token() {
        let open = [("server.listen", "0.0.0.0:7070")];
        let message = format!("{:#}", resolve(&open, None).expect_err("a refusal"));
        assert!(message.contains("0.0.0.0:7070") && message.contains("--token-file"), "{message}");
        assert!(resolve(&open, Some("secret")).expect("a valid configuration").admin.token.is_some());
        for loopback in ["127.0.0.2:1", "[::1]:1"] {
            assert!(resolve(&[("server.listen", loopback)], None).is_ok(), "{loopback}");
        }
    }
}
