//! `plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use innkeeper_model::id::PluginName;

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginVerb {
    /// Upload a component and make it the plugin's active version.
    Push(Push),
    /// List the plugins.
    List,
    /// Show one plugin.
    Get {
        /// Its name.
        name: PluginName,
    },
    /// Release a plugin from quarantine, and resume its tasks. For the operator.
    Release {
        /// Its name.
        name: PluginName,
    },
    /// Delete a plugin that no task names.
    Delete {
        /// Its name.
        name: PluginName,
    },
}

/// What to upload.
#[derive(Debug, Args)]
pub struct Push {
    /// The plugin's name.
    pub name: PluginName,
    /// The component: a .wasm file, built for the target wasm32-wasip2.
    pub file: PathBuf,
}
