//! Time zones by their IANA name.
//!
//! A name is checked once, here; a [`Zone`] is always usable. Names are those of the IANA database, links included
//! (`Asia/Calcutta`), in any letter case, and are kept in the database's spelling. Offsets (`-08:00`), abbreviations
//! that the database does not list (`PST`) and `local` are refused: they do not say when the clock changes.

mod data;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::data::{SYSTEM_DIRECTORY, SystemTables, TimezoneData, TimezoneDataError};
use crate::offsets::OffsetTable;

/// Names longer than this are no typing mistake, so nothing is suggested for them. The longest real one has 32 bytes.
const SUGGESTION_BYTES_MAX: usize = 48;

/// An IANA time zone with its rules. Cheap to clone. Read from text it has the bundled rules; [`TimezoneData::zone`] gives
/// it those of another source.
#[derive(Clone)]
pub struct Zone {
    name: &'static str,
    table: Arc<OffsetTable>,
}

impl Zone {
    /// The zone `UTC`.
    #[must_use]
    pub fn utc() -> Self {
        Self::bundled(Tz::UTC)
    }

    /// The name as the IANA database spells it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn offsets(&self) -> &OffsetTable {
        &self.table
    }

    /// A table takes half a millisecond to read and never changes, so each is read once.
    fn bundled(zone: Tz) -> Self {
        static TABLES: LazyLock<Mutex<HashMap<Tz, Arc<OffsetTable>>>> = LazyLock::new(Mutex::default);
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        let table = tables.entry(zone).or_insert_with(|| Arc::new(OffsetTable::bundled(zone)));
        Self { name: zone.name(), table: Arc::clone(table) }
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        TimezoneData::Bundled.zone(name)
    }
}

fn find(name: &str) -> Option<Tz> {
    let exact = name.parse().ok();
    exact.or_else(|| TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(name)))
}

/// Why a zone cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// The name is no IANA time zone.
    #[error("`{name}` is not an IANA time zone; {}", remedy(*suggestion))]
    Unknown {
        /// What was given.
        name: String,
        /// The nearest known name, if one is near.
        suggestion: Option<&'static str>,
    },
    /// The zone's table cannot be read.
    #[error(transparent)]
    Unreadable(#[from] TimezoneDataError),
}

impl ZoneError {
    fn unknown(name: &str) -> Self {
        Self::Unknown { name: name.to_owned(), suggestion: suggest(name) }
    }
}

fn remedy(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(suggestion) => format!("did you mean `{suggestion}`?"),
        None => "write a name such as `America/New_York` or `UTC`".to_owned(),
    }
}

/// The known name that differs least from `name`, as a whole or in its last part (`new york`).
fn suggest(name: &str) -> Option<&'static str> {
    if name.len() > SUGGESTION_BYTES_MAX {
        return None;
    }
    let wanted = name.trim().to_ascii_lowercase().replace(' ', "_");
    // A third of the letters may be wrong, but short names would then resemble everything.
    let distance_max = (wanted.len() / 4).min(3);
    let distance = |known: &str| {
        let known = known.to_ascii_lowercase();
        let city = known.rsplit('/').next().unwrap_or(&known);
        let whole = strsim::osa_distance(&wanted, &known);
        if wanted.contains('/') { whole } else { whole.min(strsim::osa_distance(&wanted, city)) }
    };
    TZ_VARIANTS
        .iter()
        .map(|zone| (distance(zone.name()), zone.name()))
        .filter(|(distance, _)| *distance <= distance_max && wanted.len() > 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

impl fmt::Debug for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Zone({})", self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_spelling_of_the_database() {
        for (given, name) in [
            ("America/New_York", "America/New_York"),
            ("america/new_york", "America/New_York"),
            ("asia/calcutta", "Asia/Calcutta"),
            ("utc", "UTC"),
            ("etc/gmt+5", "Etc/GMT+5"),
            ("est", "EST"),
        ] {
            assert_eq!(given.parse::<Zone>().expect(given).name(), name);
        }
    }

    #[test]
    fn near_misses_are_named() {
        for (given, suggestion) in [
            ("Europe/Londn", Some("Europe/London")),
            ("new york", Some("America/New_York")),
            (" UTC", None),
            ("America/Los Angeles", Some("America/Los_Angeles")),
            ("Mars/Olympus_Mons", None),
            ("PST", None),
            ("-08:00", None),
        ] {
            let error = ZoneError::Unknown { name: given.to_owned(), suggestion };
            assert_eq!(given.parse::<Zone>(), Err(error));
        }
    }

    #[test]
    fn the_error_names_value_and_remedy() {
        let error = "Europe/Berln".parse::<Zone>().expect_err("a wrong name");
        assert_eq!(
            error.to_string(),
            "`Europe/Berln` is not an IANA time zone; did you mean `Europe/Berlin`?"
        );
        let error = "PST".parse::<Zone>().expect_err("an abbreviation");
        assert!(error.to_string().contains("America/New_York"), "{error}");
    }
}
