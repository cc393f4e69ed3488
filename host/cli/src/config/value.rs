//! The forms that values of settings are written in.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use innkeeper_model::egress::Network;
use innkeeper_schedule::duration::parse_duration;
use innkeeper_schedule::zone::{SYSTEM_DIRECTORY, TimezoneData};
use innkeeper_store::Durability;

use super::mistakes::Wrong;
use super::settings::Settings;
use super::{LISTEN_DEFAULT, LogFormat};

/// What stands for no bound in time or number.
const FOREVER: &str = "forever";

/// Units of bytes, each with its number.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl Settings {
    /// What `read` makes of the value under `key`.
    ///
    /// # Errors
    /// The value cannot be read; the message names the setting, where the value comes from, and what would be right.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let given = self.get(key);
        read(&given.text)
            .map_err(|cause| Wrong { key, origin: given.origin.clone(), cause: format!("{cause:#}") }.into())
    }

    /// A number of bytes, such as `64MiB`.
    pub(super) fn bytes(&self, key: &'static str) -> anyhow::Result<u64> {
        self.read(key, parse_bytes)
    }

    /// A number of bytes that fits into memory.
    pub(super) fn bytes_in_memory(&self, key: &'static str) -> anyhow::Result<usize> {
        self.read(key, |text| Ok(usize::try_from(parse_bytes(text)?)?))
    }

    /// A whole number from `least` to `most`.
    pub(super) fn count(&self, key: &'static str, least: u64, most: u64) -> anyhow::Result<u64> {
        self.read(key, |text| parse_count(text, least, most))
    }

    /// A duration that is more than nothing.
    pub(super) fn duration(&self, key: &'static str) -> anyhow::Result<Duration> {
        self.read(key, |text| match parse_duration(text)? {
            Duration::ZERO => bail!("`{text}` must be more than nothing"),
            duration => Ok(duration),
        })
    }

    /// A duration, or `forever`.
    pub(super) fn age(&self, key: &'static str) -> anyhow::Result<Option<Duration>> {
        if self.get(key).text == FOREVER { Ok(None) } else { self.duration(key).map(Some) }
    }

    /// A whole number, or `forever`.
    pub(super) fn number_or_forever(&self, key: &'static str) -> anyhow::Result<Option<u32>> {
        if self.get(key).text == FOREVER {
            return Ok(None);
        }
        Ok(Some(u32::try_from(self.count(key, 1, u64::from(u32::MAX))?)?))
    }
}

/// Reads a number of bytes, such as `64MiB`.
///
/// # Errors
/// The text is none; the message says how one is written.
pub(crate) fn parse_bytes(text: &str) -> anyhow::Result<u64> {
    let wrong = || anyhow!("`{text}` must be a number of bytes, such as 64MiB, 1GB or 4096");
    let (number, unit) = UNITS
        .into_iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?.trim_end(), bytes)))
        .unwrap_or((text, 1));
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

fn parse_count(text: &str, least: u64, most: u64) -> anyhow::Result<u64> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| anyhow!("is `{text}`: it must be {least} to {most}"))
}

pub(super) fn parse_listen(text: &str) -> anyhow::Result<SocketAddr> {
    let numeric = text.replacen("localhost:", "127.0.0.1:", 1);
    let parsed = numeric.parse();
    parsed.with_context(|| format!("`{text}` must be an address and a port, such as {LISTEN_DEFAULT}"))
}

pub(super) fn parse_networks(text: &str) -> anyhow::Result<Vec<Network>> {
    let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty());
    networks.map(|network| Ok(network.parse()?)).collect()
}

pub(super) fn parse_durability(text: &str) -> anyhow::Result<Durability> {
    match text {
        "full" => Ok(Durability::Full),
        "normal" => Ok(Durability::Normal),
        _ => bail!("`{text}` must be `full` or `normal`"),
    }
}

pub(super) fn parse_timezone_data(text: &str) -> anyhow::Result<TimezoneData> {
    match text {
        "bundled" => Ok(TimezoneData::Bundled),
        "system" => TimezoneData::system(Path::new(SYSTEM_DIRECTORY)).context("the system's tables"),
        _ => bail!("`{text}` must be `bundled` or `system`"),
    }
}

pub(super) fn parse_log_format(text: &str) -> anyhow::Result<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => bail!("`{text}` must be `text` or `json`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        for (text, expected) in
            [("64MiB", 64 << 20), ("1 GB", 1_000_000_000), ("4096", 4096), ("0", 0), ("7B", 7)]
        {
            assert_eq!(parse_bytes(text).ok(), Some(expected), "{text}");
        }
        for wrong in ["", "MiB", "-1", "1.5GiB", "64 mb", "99999999999TiB"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_that_is_wrong_is_named_with_its_origin() {
        let variable = |name: &str| (name == "INNKEEPER_RETENTION_EVENTS").then(|| "a while".to_owned());
        let settings = Settings::gather(Vec::new(), variable, None).expect("settings");
        let error = format!("{:#}", settings.age("retention.events").expect_err("a wrong value"));
        assert!(error.starts_with("retention.events (INNKEEPER_RETENTION_EVENTS): "), "{error}");
        let forever = |name: &str| name.starts_with("INNKEEPER_RETENTION").then(|| FOREVER.to_owned());
        let settings = Settings::gather(Vec::new(), forever, None).expect("settings");
        assert_eq!(settings.age("retention.events").ok(), Some(None));
        assert_eq!(settings.number_or_forever("retention.executionsPerTask").ok(), Some(None));
    }
}
