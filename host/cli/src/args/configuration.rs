//! `config`.

use clap::{Args, Subcommand};

use super::CheckArgs;

/// What to do with the configuration: a server's own, or that of plugins.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Show the settings a server would run with, and where each comes from. Exits with 2 if it would not start.
    Check(CheckArgs),
    /// What plugins are configured with.
    #[command(flatten)]
    Values(ValueVerb),
}

/// What to do with what plugins are configured with.
#[derive(Debug, Subcommand)]
pub enum ValueVerb {
    /// List the configured values. Of a secret it shows that it is there.
    List,
    /// Print a value. A secret can be set and deleted, not read.
    Get {
        /// Its key.
        key: String,
    },
    /// Set a value or a secret.
    Set(SetConfig),
    /// Delete a value or a secret.
    Delete {
        /// Its key.
        key: String,
    },
}

/// The value to set.
#[derive(Debug, Args)]
pub struct SetConfig {
    /// Its key: letters, digits and `-_.:`.
    pub key: String,
    /// The value. Without it the value is asked for, or read from standard input without the line end after it. A secret
    /// must come that way: others can see a command line.
    #[arg(allow_hyphen_values = true, conflicts_with = "secret")]
    pub value: Option<String>,
    /// Store it encrypted, show it to nobody but granted plugins, and keep it out of their logs and outputs.
    #[arg(long)]
    pub secret: bool,
}
