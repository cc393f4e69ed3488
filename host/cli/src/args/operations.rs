//! `config check`, `backup`, `restore`, `doctor` and `completions`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Which settings to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// File of settings, in TOML. [default: that of `INNKEEPER_CONFIG`, or none]
    pub file: Option<PathBuf>,
    /// The same, as `serve` is told.
    #[arg(long, env = "INNKEEPER_CONFIG", value_name = "FILE", conflicts_with = "file", hide = true)]
    pub config: Option<PathBuf>,
}

/// Where a backup goes.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The new file.
    pub file: PathBuf,
}

/// What to bring back, and where.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A file that `innkeeper backup` wrote.
    pub file: PathBuf,
    /// The new data directory: an empty folder, or one that is not there yet.
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
}

/// What to examine.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The data directory of a server that is stopped. [default: ./innkeeper-data]
    #[arg(long, env = "INNKEEPER_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Which changes to list.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// At most so many, the newest first.
    #[arg(long, default_value_t = 50, value_name = "COUNT", value_parser = super::number::at_least_one)]
    pub limit: usize,
}

/// For which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell: `bash`, `zsh`, `fish`, `elvish` or `powershell`.
    pub shell: Shell,
}
