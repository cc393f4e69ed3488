//! The settings of `serve`: raw from flags, environment and file, then resolved once into values that cannot be wrong.

mod file;
mod secret_key;
mod tenancy;
mod token;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use innkeeper_admin::Token;
use innkeeper_model::egress::Network;
use innkeeper_runner::SecretKey;
use innkeeper_model::limits::Limits;
use innkeeper_model::quota::Quotas;
use innkeeper_schedule::zone::{SYSTEM_DIRECTORY, TimezoneData, Zone};
use innkeeper_store::Durability;

pub use file::{ServerSection, check_keys};
pub(crate) use secret_key::read as read_secret_key;

use crate::args::ServeArgs;

/// Where `serve` and `dev` listen unless told otherwise.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:7070";
/// Where `serve` keeps its data unless told otherwise.
pub const DATA_DIR_DEFAULT: &str = "innkeeper-data";
/// Executions at once unless told otherwise.
const CONCURRENCY_DEFAULT: u32 = 256;

/// How a server is to run.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address and port; port 0 means a free one.
    pub listen: SocketAddr,
    /// Where data is kept.
    pub storage: Storage,
    /// Executions at once, 1 to 65536.
    pub concurrency: u32,
    /// When a write counts as done.
    pub durability: Durability,
    /// The tables that say when clocks change.
    pub timezone_data: TimezoneData,
    /// The time zone of tasks that name none.
    pub timezone: Zone,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// What secrets are encrypted with; `None` means the key in the data directory.
    pub secret_key: Option<SecretKey>,
    /// What one execution may use at most.
    pub limits: Limits,
    /// What all of one tenant may use, unless something else is set for it.
    pub quotas: Quotas,
    /// What clients must show; `None` lets everybody in who can connect.
    pub token: Option<Token>,
    /// Networks that plugins may reach although they are not public.
    pub egress_allow_networks: Vec<Network>,
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
    /// Reads the files that the flags name, and resolves everything. `token` is the one of the environment.
    ///
    /// # Errors
    /// A file cannot be read or has a key that is unknown, a value is not valid, or the server would be open to the
    /// network without a token.
    pub fn load(args: &ServeArgs, token: Option<String>) -> anyhow::Result<Self> {
        let section = args.config.as_deref().map(ServerSection::read).transpose()?.unwrap_or_default();
        let token = match &args.token_file {
            Some(path) => Some(token::read(path)?),
            None => token.map(|text| token::parse("INNKEEPER_TOKEN", &text)).transpose()?,
        };
        let secret_key = secret_key::find(args.secret_key_file.as_deref())?;
        Ok(Self { secret_key, ..Self::resolve(args, section, token)? })
    }

    /// A server for whoever sits at this machine. Where it listens, its listener knows. Its plugins may reach what else
    /// runs on the machine: that is what a developer tries them against.
    #[must_use]
    pub fn local(storage: Storage) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage,
            concurrency: CONCURRENCY_DEFAULT,
            durability: Durability::Full,
            timezone_data: TimezoneData::Bundled,
            timezone: Zone::utc(),
            log_format: LogFormat::Text,
            secret_key: None,
            limits: Limits::DEFAULT,
            quotas: Quotas::DEFAULT,
            token: None,
            egress_allow_networks: Network::LOOPBACK.to_vec(),
        }
    }

    /// Decides each setting: flag or environment, else file, else default.
    fn resolve(args: &ServeArgs, file: ServerSection, token: Option<Token>) -> anyhow::Result<Self> {
        let text = |flag: &Option<String>, file: Option<String>, default: &str| {
            flag.clone().or(file).unwrap_or_else(|| default.to_owned())
        };
        let directory = args.data_dir.clone().or(file.data_dir).unwrap_or_else(|| DATA_DIR_DEFAULT.into());
        let timezone = text(&args.timezone, file.timezone, "UTC");
        let timezone_data = parse_timezone_data(&text(&args.timezone_data, file.timezone_data, "bundled"))?;
        let config = Self {
            listen: parse_listen(&text(&args.listen, file.listen, LISTEN_DEFAULT))?,
            storage: if args.memory { Storage::Memory } else { Storage::Directory(directory) },
            concurrency: args.concurrency.or(file.concurrency).unwrap_or(CONCURRENCY_DEFAULT),
            durability: parse_durability(&text(&args.durability, file.durability, "full"))?,
            timezone: timezone_data.zone(&timezone).context("timezone")?,
            timezone_data,
            log_format: parse_log_format(&text(&args.log_format, file.log_format, "text"))?,
            secret_key: None,
            limits: tenancy::limits(file.limits)?,
            quotas: tenancy::quotas(file.quotas)?,
            token,
            egress_allow_networks: parse_networks(
                args.egress_allow_network.as_ref().or(file.egress_allow_networks.as_ref()),
            )?,
        };
        ensure!(
            (1..=65_536).contains(&config.concurrency),
            "concurrency is {}: it must be 1 to 65536",
            config.concurrency
        );
        refuse_open_door(config.listen, config.token.is_some())?;
        Ok(config)
    }
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

fn parse_listen(text: &str) -> anyhow::Result<SocketAddr> {
    let numeric = text.replacen("localhost:", "127.0.0.1:", 1);
    let parsed = numeric.parse();
    parsed
        .with_context(|| format!("listen: `{text}` must be an address and a port, such as {LISTEN_DEFAULT}"))
}

fn parse_networks(texts: Option<&Vec<String>>) -> anyhow::Result<Vec<Network>> {
    let parse = |text: &String| text.parse::<Network>().context("egress.allowNetworks");
    texts.into_iter().flatten().map(parse).collect()
}

fn parse_durability(text: &str) -> anyhow::Result<Durability> {
    match text {
        "full" => Ok(Durability::Full),
        "normal" => Ok(Durability::Normal),
        _ => bail!("durability: `{text}` must be `full` or `normal`"),
    }
}

fn parse_timezone_data(text: &str) -> anyhow::Result<TimezoneData> {
    match text {
        "bundled" => Ok(TimezoneData::Bundled),
        "system" => TimezoneData::system(Path::new(SYSTEM_DIRECTORY)).context("timezoneData"),
        _ => bail!("timezoneData: `{text}` must be `bundled` or `system`"),
    }
}

fn parse_log_format(text: &str) -> anyhow::Result<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => bail!("logFormat: `{text}` must be `text` or `json`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> ServerSection {
        ServerSection::parse(text).expect("a valid file")
    }

    fn refusal(args: &ServeArgs, text: &str) -> String {
        let refused = ServerConfig::resolve(args, section(text), None);
        format!("{:#}", refused.expect_err("a refused configuration"))
    }

    #[test]
    fn without_settings_the_defaults_hold() {
        let config = ServerConfig::resolve(&ServeArgs::default(), ServerSection::default(), None);
        let config = config.expect("a valid configuration");
        assert_eq!(config.listen.to_string(), LISTEN_DEFAULT);
        assert_eq!(config.storage, Storage::Directory(DATA_DIR_DEFAULT.into()));
        assert_eq!((config.concurrency, config.durability), (256, Durability::Full));
        assert_eq!((config.timezone.name(), config.log_format), ("UTC", LogFormat::Text));
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let args = ServeArgs {
            listen: Some("localhost:0".to_owned()),
            data_dir: Some("elsewhere".into()),
            ..ServeArgs::default()
        };
        let file = section(
            "[server]\nlisten = '127.0.0.1:1'\ndataDir = 'here'\nconcurrency = 3\ndurability = 'normal'\n\
             timezone = 'Europe/Rome'\nlogFormat = 'json'",
        );
        let config = ServerConfig::resolve(&args, file, None).expect("a valid configuration");
        assert_eq!(config.listen.to_string(), "127.0.0.1:0");
        assert_eq!(config.storage, Storage::Directory("elsewhere".into()));
        assert_eq!((config.concurrency, config.durability), (3, Durability::Normal));
        assert_eq!((config.timezone.name(), config.log_format), ("Europe/Rome", LogFormat::Json));
    }

    #[test]
    fn a_value_that_is_wrong_is_named_with_what_would_be_right() {
        let none = ServeArgs::default();
        for (text, expected) in [
            ("[server]\nlisten = 'here'", "listen: `here` must be an address and a port"),
            ("[server]\nconcurrency = 0", "it must be 1 to 65536"),
            ("[server]\ndurability = 'max'", "`max` must be `full` or `normal`"),
            ("[server]\ntimezoneData = 'none'", "`none` must be `bundled` or `system`"),
            ("[server]\nlogFormat = 'xml'", "`xml` must be `text` or `json`"),
            ("[egress]\nallowNetworks = ['10.0.0/8']", "egress.allowNetworks: `10.0.0/8` names no network"),
            ("[server]\ntimezone = 'Europe/Roma'", "Europe/Rome"),
        ] {
            let message = refusal(&none, text);
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn plugins_reach_public_addresses_only_unless_the_operator_says_otherwise() {
        let networks = |args: &ServeArgs, file: &str| {
            let config = ServerConfig::resolve(args, section(file), None).expect("a valid configuration");
            config.egress_allow_networks.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let file = "[egress]\nallowNetworks = ['10.0.0.0/8', 'fd00::1']";
        assert!(networks(&ServeArgs::default(), "").is_empty());
        assert_eq!(networks(&ServeArgs::default(), file), ["10.0.0.0/8", "fd00::1/128"]);
        let flag = Some(vec!["192.168.0.0/16".to_owned()]);
        let args = ServeArgs { egress_allow_network: flag, ..ServeArgs::default() };
        assert_eq!(networks(&args, file), ["192.168.0.0/16"]);
        assert_eq!(ServerConfig::local(Storage::Memory).egress_allow_networks, Network::LOOPBACK);
    }

    #[test]
    fn the_network_is_only_let_in_with_a_token() {
        let open = ServeArgs { listen: Some("0.0.0.0:7070".to_owned()), ..ServeArgs::default() };
        let message = refusal(&open, "");
        assert!(message.contains("0.0.0.0:7070") && message.contains("--token-file"), "{message}");
        let with_token = ServerConfig::resolve(&open, ServerSection::default(), Token::new("secret").ok());
        assert!(with_token.expect("a valid configuration").token.is_some());
        for loopback in ["127.0.0.2:1", "[::1]:1"] {
            let args = ServeArgs { listen: Some(loopback.to_owned()), ..ServeArgs::default() };
            assert!(ServerConfig::resolve(&args, ServerSection::default(), None).is_ok(), "{loopback}");
        }
    }
}
