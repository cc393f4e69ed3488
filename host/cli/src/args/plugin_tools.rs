//! `plugin new`, `build`, `inspect` and `run`: what needs no server.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use innkeeper_model::id::PluginName;
use innkeeper_model::topic::EventName;
use serde_json::Value;

use super::plugin::GrantText;

/// A language that plugins can be written in with what comes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Built with cargo.
    Rust,
    /// Built with componentize-py.
    Python,
    /// Built with componentize-js.
    #[value(name = "javascript", alias = "js")]
    JavaScript,
}

/// A new project.
#[derive(Debug, Args)]
pub struct New {
    /// The plugin's name, and that of the folder that is made for it.
    pub name: PluginName,
    /// What it is written in.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    pub lang: Language,
    /// Where the SDK for Rust is: a folder of this machine, such as `sdk` in a copy of Innkeeper's source.
    #[arg(long, env = "INNKEEPER_SDK_PATH", value_name = "FOLDER")]
    pub sdk_path: Option<PathBuf>,
    /// Where the SDK for Rust is: a git repository.
    #[arg(long, value_name = "URL", conflicts_with = "sdk_path")]
    pub sdk_git: Option<String>,
}

/// What to build.
#[derive(Debug, Args)]
pub struct Build {
    /// The project's folder.
    #[arg(default_value = ".")]
    pub directory: PathBuf,
    /// Where the component goes; NAME.wasm in the project's folder if nothing is said.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What to run, and with what.
#[derive(Debug, Args)]
pub struct RunPlugin {
    /// The component: a .wasm file.
    pub file: PathBuf,
    /// The event that starts it; none as when a schedule does.
    #[arg(long)]
    pub event: Option<EventName>,
    /// The event's data, as JSON.
    #[arg(long, value_parser = json, value_name = "JSON")]
    pub data: Option<Value>,
    /// The task's metadata, as JSON.
    #[arg(long, value_parser = json, value_name = "JSON")]
    pub metadata: Option<Value>,
    /// Run it this often, measure, and suggest limits. What is printed besides is of the first time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub repeat: u32,
    /// What it may reach, such as `http=https://api.example.com`; to be given once for each.
    #[arg(long, value_name = "KIND=WHAT")]
    pub allow: Vec<GrantText>,
    /// A value of the configuration, which it may then read; to be given once for each.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub config: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is no setting: write KEY=VALUE")),
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}
