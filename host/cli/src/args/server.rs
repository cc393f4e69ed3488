//! `serve` and `dev`.

use std::path::PathBuf;

use clap::Args;

/// How to run a server. Flags win over the environment, the environment over the file, the file over the defaults. These are
/// the settings one needs most; `innkeeper config check` shows all of them, with where each comes from, and the variable of
/// a setting is `INNKEEPER_` and its name, as in `INNKEEPER_DATA_DIR` or `INNKEEPER_RETENTION_EVENTS`.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one. [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Folder of the database and of compiled plugins. One server at a time owns it. [default: ./innkeeper-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep everything in memory: it is gone when the server stops.
    #[arg(long, conflicts_with = "data_dir")]
    pub memory: bool,
    /// Executions at once. [default: 256]
    #[arg(long, value_name = "COUNT")]
    pub concurrency: Option<u32>,
    /// When a write counts as done: `full` (synced to the disk) or `normal` (survives a crash, not a power cut).
    /// [default: full]
    #[arg(long, value_name = "MODE")]
    pub durability: Option<String>,
    /// IANA time zone of tasks that name none. [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// The tables that say when clocks change: `bundled` (compiled in) or `system` (the machine's zoneinfo, which its
    /// updates keep fresh). [default: bundled]
    #[arg(long, value_name = "SOURCE")]
    pub timezone_data: Option<String>,
    /// How log lines are written: `text` or `json`. [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// File that holds the token clients must show. Without it, the token is that of `INNKEEPER_TOKEN`, if any.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Network that plugins may reach over HTTP although it is not public, such as 10.0.0.0/8; to be given once for each.
    /// The host's own address stays out of their reach. [default: none]
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    pub egress_allow_network: Option<Vec<String>>,
    /// File that holds the key secrets are encrypted with: 32 bytes in Base64. Without it, the key is that of
    /// `INNKEEPER_SECRET_KEY`, or else that of the file secret.key in the data directory, which is made if need be.
    #[arg(long, value_name = "FILE")]
    pub secret_key_file: Option<PathBuf>,
    /// File of settings, in TOML: `[server]`, `[limits]`, `[quotas]`, `[egress]`, `[retention]`, `[http]`, `[streams]`,
    /// `[sandbox]`, `[metrics]`, `[telemetry]`.
    #[arg(long, env = "INNKEEPER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ServeArgs {
    /// The settings that flags give, each with its key and the flag's name.
    #[must_use]
    pub fn flags(&self) -> Vec<(&'static str, &'static str, String)> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let flags = [
            ("server.listen", "--listen", self.listen.clone()),
            ("server.dataDir", "--data-dir", path(&self.data_dir)),
            ("server.concurrency", "--concurrency", self.concurrency.map(|count| count.to_string())),
            ("server.durability", "--durability", self.durability.clone()),
            ("server.timezone", "--timezone", self.timezone.clone()),
            ("server.timezoneData", "--timezone-data", self.timezone_data.clone()),
            ("server.logFormat", "--log-format", self.log_format.clone()),
            ("server.tokenFile", "--token-file", path(&self.token_file)),
            ("server.secretKeyFile", "--secret-key-file", path(&self.secret_key_file)),
            (
                "egress.allowNetworks",
                "--egress-allow-network",
                self.egress_allow_network.as_ref().map(|networks| networks.join(",")),
            ),
        ];
        flags.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value?))).collect()
    }
}

/// What to develop.
#[derive(Debug, Clone, Args)]
pub struct DevArgs {
    /// Folders of plugins, in whatever language, each with an innkeeper.toml.
    #[arg(required = true, value_name = "DIR")]
    pub directories: Vec<PathBuf>,
    /// Port to listen on, on this machine only. [default: 7070, or the next free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Keep everything in this folder instead of in memory.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}
