//! Which time zone tables are in use: those compiled in, or the operating system's.
//!
//! Governments change their clocks at short notice. The bundled tables are those of the day this program was built; the
//! system's are as new as its last update.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;

use super::{Zone, ZoneError, find};
use crate::offsets::OffsetTable;

/// Where most systems keep their tables.
pub const SYSTEM_DIRECTORY: &str = "/usr/share/zoneinfo";

/// A source of time zone tables. Cheap to clone; clones share what has been read.
#[derive(Debug, Clone, Default)]
pub enum TimezoneData {
    /// The tables compiled into this program.
    #[default]
    Bundled,
    /// The tables of the operating system.
    System(SystemTables),
}

impl TimezoneData {
    /// The operating system's tables in `directory`, such as [`SYSTEM_DIRECTORY`].
    ///
    /// # Errors
    ///
    /// [`TimezoneDataError`] if the directory has no table of `Europe/London`, a zone that no system leaves out.
    pub fn system(directory: &Path) -> Result<Self, TimezoneDataError> {
        let tables = SystemTables { directory: directory.into(), read: Arc::default() };
        match tables.read_table(Tz::Europe__London) {
            Ok(Some(_)) => Ok(Self::System(tables)),
            Ok(None) => {
                Err(TimezoneDataError { path: directory.into(), problem: "there are none".to_owned() })
            }
            Err(error) => Err(error),
        }
    }

    /// The zone called `name`, with its rules from these tables. The names are the same for every source. A zone for
    /// which the system has no table (distributions leave out old names) has its bundled rules.
    ///
    /// # Errors
    ///
    /// [`ZoneError::Unknown`] if there is no such zone; [`ZoneError::Unreadable`] if the system's table is damaged.
    pub fn zone(&self, name: &str) -> Result<Zone, ZoneError> {
        let zone = find(name).ok_or_else(|| ZoneError::unknown(name))?;
        match self {
            Self::Bundled => Ok(Zone::bundled(zone)),
            Self::System(tables) => match tables.table(zone)? {
                Some(table) => Ok(Zone { name: zone.name(), table }),
                None => Ok(Zone::bundled(zone)),
            },
        }
    }

    /// Which release of the IANA database this is, such as `2025b`, and where it comes from.
    #[must_use]
    pub fn version(&self) -> String {
        match self {
            Self::Bundled => format!("{} (bundled)", chrono_tz::IANA_TZDB_VERSION),
            Self::System(tables) => {
                let release = tables.release().unwrap_or_else(|| "unknown release".to_owned());
                format!("{release} ({})", tables.directory.display())
            }
        }
    }
}

/// The tables in a directory of the operating system, each read when it is first needed.
#[derive(Debug, Clone)]
pub struct SystemTables {
    directory: PathBuf,
    /// `None` for a zone that the directory lacks.
    read: Arc<Mutex<HashMap<Tz, Option<Arc<OffsetTable>>>>>,
}

impl SystemTables {
    fn table(&self, zone: Tz) -> Result<Option<Arc<OffsetTable>>, TimezoneDataError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = read.get(&zone) {
            return Ok(table.clone());
        }
        let table = self.read_table(zone)?.map(Arc::new);
        read.insert(zone, table.clone());
        Ok(table)
    }

    fn read_table(&self, zone: Tz) -> Result<Option<OffsetTable>, TimezoneDataError> {
        let path = self.directory.join(zone.name());
        let unreadable = |problem: String| TimezoneDataError { path: path.clone(), problem };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let parsed = jiff::tz::TimeZone::tzif(zone.name(), &bytes);
        parsed.map(|zone| Some(OffsetTable::system(&zone))).map_err(|error| unreadable(error.to_string()))
    }

    /// The release is named in the first line of one file, or alone in another.
    fn release(&self) -> Option<String> {
        let first_line =
            |file| Some(fs::read_to_string(self.directory.join(file)).ok()?.lines().next()?.to_owned());
        let release =
            first_line("tzdata.zi").and_then(|line| Some(line.strip_prefix("# version ")?.to_owned()));
        release.or_else(|| first_line("+VERSION"))
    }
}

/// Time zone tables of the operating system cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time zone tables in `{}`: {problem}; install the system's tzdata or use the bundled tables", path.display())]
pub struct TimezoneDataError {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::at::resolve_at;

    /// A table of the least size: one offset, an hour ahead of UTC.
    fn one_hour_ahead() -> Vec<u8> {
        let header = |version: u8| {
            let mut header = b"TZif".to_vec();
            header.push(version);
            header.extend([0; 15]);
            // Counts: UTC flags, standard flags, leap seconds, changes, kinds of time, characters of names.
            for count in [0_u32, 0, 0, 0, 1, 4] {
                header.extend(count.to_be_bytes());
            }
            header.extend(3600_i32.to_be_bytes());
            header.extend([0, 0]);
            header.extend(b"ONE\0");
            header
        };
        [header(b'2'), header(b'2'), b"\n<ONE>-1\n".to_vec()].concat()
    }

    /// A directory of this process and of the test `name`.
    fn directory(name: &str) -> PathBuf {
        let directory =
            std::env::temp_dir().join(format!("innkeeper-zoneinfo-{name}-{}", std::process::id()));
        fs::create_dir_all(directory.join("Europe")).expect("a directory");
        directory
    }

    #[test]
    fn rules_come_from_the_directory() {
        let directory = directory("rules");
        fs::write(directory.join("Europe/London"), one_hour_ahead()).expect("a file");
        fs::write(directory.join("tzdata.zi"), "# version 2042c\nR x\n").expect("a file");
        let data = TimezoneData::system(&directory).expect("a table");
        let noon_in = |name: &str| {
            let zone = data.zone(name).expect(name);
            resolve_at("2025-01-01T12:00:00", &zone).expect("a time").to_string()
        };
        assert_eq!(noon_in("europe/london"), "2025-01-01T11:00:00.000Z");
        assert_eq!(noon_in("Asia/Tokyo"), "2025-01-01T03:00:00.000Z", "the directory has no table of it");
        assert!(data.version().starts_with("2042c ("), "{}", data.version());
        assert!(matches!(data.zone("Europe/Atlantis"), Err(ZoneError::Unknown { .. })));
        fs::write(directory.join("UTC"), "no table").expect("a file");
        assert!(matches!(data.zone("UTC"), Err(ZoneError::Unreadable(_))));
        fs::remove_dir_all(directory).expect("the directory is still there");
    }

    #[test]
    fn a_directory_without_tables_is_refused() {
        let directory = directory("empty");
        let error = TimezoneData::system(&directory).expect_err("no tables");
        assert_eq!(error.path, directory);
        fs::remove_dir_all(directory).expect("the directory is still there");
    }

    #[test]
    fn bundled_tables_name_their_release() {
        assert_eq!(TimezoneData::default().version(), format!("{} (bundled)", chrono_tz::IANA_TZDB_VERSION));
    }
}
