//! `apply` and `export`.

use std::path::PathBuf;

use clap::Args;

/// What to bring about.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// File that declares plugins, configured values, tasks and presets, in TOML or JSON, or a folder of such files.
    #[arg(short, long, value_name = "PATH")]
    pub file: PathBuf,
    /// Only show what would change.
    #[arg(long)]
    pub dry_run: bool,
    /// Delete the tasks, plugins and configured values of the tenant that are not declared.
    #[arg(long)]
    pub prune: bool,
}

/// Where to write what is there.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The folder: an empty one, or one that is not there yet.
    pub directory: PathBuf,
}
