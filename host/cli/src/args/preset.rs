//! `preset`.

use clap::{Args, Subcommand};

/// What to do with presets.
#[derive(Debug, Subcommand)]
pub enum PresetVerb {
    /// List the named schedules.
    List,
    /// Name a schedule, or give a name another one. Tasks that were created with it keep the old one.
    Set(SetPreset),
}

/// A named schedule.
#[derive(Debug, Args)]
pub struct SetPreset {
    /// Its name, such as @nightly.
    pub name: String,
    /// Its cron pattern, such as `0 3 * * *`.
    pub cron: String,
    /// What it is for.
    #[arg(long, default_value = "")]
    pub description: String,
}
