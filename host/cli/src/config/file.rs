//! The file that `serve --config` reads.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use innkeeper_model::problem::nearest;
use serde::Deserialize;
use serde::de::DeserializeOwned;

const KEYS: [&str; 7] =
    ["listen", "dataDir", "concurrency", "durability", "timezone", "timezoneData", "logFormat"];

/// The `[server]` and `[egress]` tables as they are written. Nothing in it is checked but its shape.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerSection {
    /// `listen`: address and port, such as `127.0.0.1:7070`.
    pub listen: Option<String>,
    /// `dataDir`: folder of the database and of compiled plugins.
    pub data_dir: Option<PathBuf>,
    /// `concurrency`: executions at once.
    pub concurrency: Option<u32>,
    /// `durability`: `full` or `normal`.
    pub durability: Option<String>,
    /// `timezone`: an IANA name.
    pub timezone: Option<String>,
    /// `timezoneData`: `bundled` or `system`.
    pub timezone_data: Option<String>,
    /// `logFormat`: `text` or `json`.
    pub log_format: Option<String>,
    /// `allowNetworks` of `[egress]`: networks that plugins may reach although they are not public.
    #[serde(skip)]
    pub egress_allow_networks: Option<Vec<String>>,
    /// The table `[limits]`: what one execution may use at most, in the names of a task's `limits`.
    #[serde(skip)]
    pub limits: Option<toml::Value>,
    /// The table `[quotas]`: what all of one tenant may use, unless the operator sets something else for it.
    #[serde(skip)]
    pub quotas: Option<toml::Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EgressSection {
    allow_networks: Option<Vec<String>>,
}

impl ServerSection {
    /// Reads the tables from a file. A file without any has no settings.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a key that is unknown.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Reads the tables from text.
    ///
    /// # Errors
    /// As [`ServerSection::read`].
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut file: toml::Table = text.parse()?;
        check_keys(&file, &["server", "egress", "limits", "quotas"], "")?;
        let (limits, quotas) = (file.remove("limits"), file.remove("quotas"));
        let read: Self = section(&mut file, "server", &KEYS)?;
        let egress: EgressSection = section(&mut file, "egress", &["allowNetworks"])?;
        Ok(Self { limits, quotas, egress_allow_networks: egress.allow_networks, ..read })
    }
}

/// Takes the table `name` out of a file, with no other keys than `known`.
fn section<T: DeserializeOwned + Default>(
    file: &mut toml::Table,
    name: &str,
    known: &[&str],
) -> anyhow::Result<T> {
    let Some(section) = file.remove(name) else { return Ok(T::default()) };
    if let Some(table) = section.as_table() {
        check_keys(table, known, &format!("{name}."))?;
    }
    section.try_into().with_context(|| format!("[{name}]"))
}

/// Refuses a table that has other keys than `known`; `prefix` is the table's own path.
///
/// # Errors
/// The first unknown key, with the nearest known one.
pub fn check_keys(table: &toml::Table, known: &[&str], prefix: &str) -> anyhow::Result<()> {
    let Some(unknown) = table.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    match nearest(unknown, known.iter().copied()) {
        Some(near) => bail!("`{prefix}{unknown}` is not a known key; did you mean `{near}`?"),
        None => bail!("`{prefix}{unknown}` is not a known key; known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest() {
        for (text, expected) in [
            ("[server]\nlissen = 'x'", "`server.lissen` is not a known key; did you mean `listen`?"),
            ("[server]\ndata_dir = 'x'", "`server.data_dir` is not a known key; did you mean `dataDir`?"),
            ("[sever]", "`sever` is not a known key; did you mean `server`?"),
            ("[server]\nwhatever = 1", "known are listen, dataDir"),
            ("[server]\nconcurrency = 'many'", "[server]"),
            ("server = 3", "[server]"),
            ("[egress]\nallowNetwork = []", "did you mean `allowNetworks`?"),
            ("[egress]\nallowNetworks = 'all'", "[egress]"),
        ] {
            let error = format!("{:#}", ServerSection::parse(text).expect_err("a refused file"));
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = ServerSection::read(Path::new("no/such/file.toml")).expect_err("an error");
        assert!(format!("{error:#}").contains("cannot read no/such/file.toml"), "{error:#}");
    }
}
