//! `plugin`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use innkeeper_model::grants::HttpGrant;
use innkeeper_model::id::PluginName;
use serde_json::Value;

use super::plugin_tools::{Build, New, RunPlugin};
use super::rollout::RolloutArgs;

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginVerb {
    /// Upload a component and make it the plugin's active version.
    Push(Push),
    /// Make a project for a new plugin.
    New(New),
    /// Build a project's component.
    Build(Build),
    /// Tell what a component is and what it needs, without a server.
    Inspect {
        /// The component: a .wasm file.
        file: PathBuf,
    },
    /// Run a component here and now, without a server.
    Run(RunPlugin),
    /// List the versions of a plugin.
    Versions {
        /// Its name.
        name: PluginName,
    },
    /// Make a version the active one, for runs that are recorded from now on.
    Activate(Activate),
    /// Make the version that was uploaded before the active one the active one again.
    Rollback(Rollback),
    /// Delete old versions that nobody needs: neither active, nor named by a task, nor recorded with an unfinished run.
    Prune {
        /// The plugin's name.
        name: PluginName,
        /// How many of those that nobody needs are kept, the latest.
        #[arg(long, default_value_t = 3, value_name = "N")]
        keep: usize,
    },
    /// List the plugins.
    List,
    /// Show one plugin.
    Get {
        /// Its name.
        name: PluginName,
    },
    /// Show what a plugin may reach.
    Grants {
        /// Its name.
        name: PluginName,
    },
    /// Let a plugin reach more, whatever its version.
    Allow(Grant),
    /// Take back what a plugin may reach.
    Deny(Grant),
    /// Show the limits of a plugin's executions, or change some of them.
    Limits(PluginLimits),
    /// Release a plugin from quarantine, and resume its tasks. For the operator.
    Release {
        /// Its name.
        name: PluginName,
    },
    /// Delete a plugin that no task names, or one version of it that nobody needs.
    Delete {
        /// Its name.
        name: PluginName,
        /// Only this version: its digest, or enough of its beginning.
        #[arg(long, value_name = "DIGEST")]
        version: Option<String>,
    },
}

/// Limits of a plugin.
#[derive(Debug, Args)]
pub struct PluginLimits {
    /// The plugin's name.
    pub name: PluginName,
    /// A limit of each of its executions, such as `timeout=5s`; `-` as the value for none of its own. What is not named stays.
    /// Names: fuel, timeout, memory, output, log, hostCalls, events, keyValue, egressRequests, egressBytes.
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::tenant::pair)]
    pub set: Vec<(String, Value)>,
}

/// What to upload.
#[derive(Debug, Args)]
pub struct Push {
    /// The plugin's name.
    pub name: PluginName,
    /// The component: a .wasm file, such as `plugin build` makes, or a program for wasm32-wasip1 or -wasip2.
    pub file: PathBuf,
    /// Only keep it as a version. `plugin activate` makes it the active one later.
    #[arg(long, conflicts_with_all = ["allow", "without_grants", "migrate", "canary"])]
    pub no_activate: bool,
    /// How it takes effect.
    #[command(flatten)]
    pub rollout: RolloutArgs,
}

/// Which version is to be active.
#[derive(Debug, Args)]
pub struct Activate {
    /// The plugin's name.
    pub name: PluginName,
    /// The version's digest, or enough of its beginning.
    pub digest: String,
    /// How it takes effect.
    #[command(flatten)]
    pub rollout: RolloutArgs,
}

/// Which version is to be active again.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The plugin's name.
    pub name: PluginName,
    /// Another version: its digest, or enough of its beginning.
    pub digest: Option<String>,
    /// How it takes effect.
    #[command(flatten)]
    pub rollout: RolloutArgs,
}

/// Whom to grant what.
#[derive(Debug, Args)]
pub struct Grant {
    /// The plugin's name.
    pub name: PluginName,
    /// `http=https://HOST[:PORT]` (or `http://`, or `*.DOMAIN`), `kv=BUCKET`, `config=KEY`.
    #[arg(required = true, value_name = "KIND=WHAT")]
    pub grants: Vec<GrantText>,
}

/// One grant as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantText {
    /// The list of the API that it belongs to: `http`, `keyValue` or `config`.
    pub list: &'static str,
    /// Its entry there.
    pub entry: String,
}

/// As it is typed.
impl fmt::Display for GrantText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.list == "keyValue" { "kv" } else { self.list };
        write!(out, "{kind}={}", self.entry)
    }
}

impl FromStr for GrantText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write http=https://HOST, kv=BUCKET or config=KEY";
        let (kind, entry) = text.split_once('=').ok_or_else(|| format!("`{text}` is no grant: {form}"))?;
        let list = match kind {
            "http" => "http",
            "kv" | "keyValue" => "keyValue",
            "config" => "config",
            _ => return Err(format!("`{kind}` is no kind of grant: {form}")),
        };
        let entry = match list {
            "http" => entry.parse::<HttpGrant>().map_err(|error| error.to_string())?.to_string(),
            _ if entry.is_empty() => return Err(format!("`{text}` names nothing: {form}")),
            _ => entry.to_owned(),
        };
        Ok(Self { list, entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_typed_with_their_kind() {
        let grant = |text: &str| text.parse::<GrantText>();
        let expected = GrantText { list: "http", entry: "https://api.example.com".to_owned() };
        assert_eq!(grant("http=HTTPS://Api.example.com:443"), Ok(expected));
        assert_eq!(grant("kv=a=b"), Ok(GrantText { list: "keyValue", entry: "a=b".to_owned() }));
        for (text, expected) in [
            ("https://api.example.com", "no grant"),
            ("file=/etc", "no kind of grant"),
            ("http=api.example.com", "names no destination"),
            ("config=", "names nothing"),
        ] {
            assert!(grant(text).is_err_and(|error| error.contains(expected)), "{text}");
        }
    }
}
