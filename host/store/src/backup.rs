//! Copies of a database: taken while it is in use, checked before anybody trusts them.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::check::{self, Check};
use crate::figures::beside;
use crate::{Location, Store, StoreError};

impl Store {
    /// Writes a copy of the database, as it is at this moment, to a new file that only its owner can read, and checks the
    /// copy. The writer goes on meanwhile; what it commits is not in the copy.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the database is in memory, the file exists already or the copy is not whole;
    /// [`StoreError::Full`] if there is no room for it. Nothing is left of a copy that failed.
    pub async fn backup(&self, file: PathBuf) -> Result<Check, StoreError> {
        let Location::File(database) = self.location().clone() else {
            return Err(StoreError::Refused(
                "a host that keeps everything in memory has nothing to back up".to_owned(),
            ));
        };
        let copied = tokio::task::spawn_blocking(move || {
            create_private(&file)?;
            let copied = copy(&database, &file).and_then(|()| sound(&file));
            if copied.is_err() {
                // It is incomplete.
                let _nothing_left = std::fs::remove_file(&file);
            }
            copied
        });
        copied.await.unwrap_or(Err(StoreError::Stopped))
    }

    /// Writes everything that is in the write-ahead log into the database file and empties the log: what the last act of an
    /// orderly stop is. In memory there is nothing to do.
    ///
    /// # Errors
    /// Those of the store; the log is then read at the next start.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        let Location::File(path) = self.location().clone() else { return Ok(()) };
        let done = tokio::task::spawn_blocking(move || {
            let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
        });
        done.await.unwrap_or(Err(StoreError::Stopped))
    }
}

/// Copies a snapshot: one read transaction, which blocks no writer.
fn copy(database: &Path, file: &Path) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    let Some(target) = file.to_str() else {
        return Err(StoreError::Refused(format!("the path {} is not Unicode", file.display())));
    };
    connection.execute("VACUUM INTO ?1", [target])?;
    let copy = OpenOptions::new().write(true).open(file);
    let synced = copy.and_then(|copy| copy.sync_all());
    synced.map_err(|error| StoreError::Refused(format!("cannot sync {}: {error}", file.display())))
}

/// Makes an empty file; SQLite fills it.
fn create_private(file: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options.open(file);
    made.map(drop).map_err(|error| StoreError::Refused(format!("cannot make {}: {error}", file.display())))
}

/// Checks that a file is a whole database of ours, and says what is in it.
fn sound(file: &Path) -> Result<Check, StoreError> {
    let check = check::check(file)?;
    match check.problems().first() {
        None => Ok(check),
        Some(problem) => Err(StoreError::Refused(format!("{}: {problem}", file.display()))),
    }
}

/// Brings a copy back as the database of a new data directory: the copy is checked, copied, and what was written is checked
/// again.
///
/// # Errors
/// [`StoreError::Refused`] if `copy` is not a whole database of ours, or of a newer version, or if `database` exists.
pub fn restore(copy: &Path, database: &Path) -> Result<Check, StoreError> {
    sound(copy)?;
    for taken in [database.to_owned(), beside(database, "-wal"), beside(database, "-journal")] {
        if taken.exists() {
            return Err(StoreError::Refused(format!(
                "{} exists already; restore into an empty directory",
                taken.display()
            )));
        }
    }
    create_private(database)?;
    let written = std::fs::copy(copy, database).and_then(|_| {
        let file = OpenOptions::new().write(true).open(database)?;
        make_private(&file)?;
        file.sync_all()
    });
    let restored = written
        .map_err(|error| StoreError::Refused(format!("cannot write {}: {error}", database.display())))
        .and_then(|()| sound(database));
    if restored.is_err() {
        // What was written only in part must not be taken for a database.
        let _nothing_left = std::fs::remove_file(database);
    }
    restored
}

/// Copying a file copies its rights too.
#[cfg(unix)]
fn make_private(file: &std::fs::File) -> std::io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use innkeeper_model::id::TenantId;

    use super::*;
    use crate::{Durability, Preset};

    fn preset() -> Preset {
        Preset { name: "@fortnightly".into(), description: "d".into(), cron: "0 0 1,15 * *".into() }
    }

    #[tokio::test]
    async fn a_copy_is_whole_and_can_be_brought_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = |name: &str| directory.path().join(name);
        let store = Store::open(&Location::File(place("a.db")), Durability::Normal).expect("a store");
        store.ensure_presets(vec![preset()]).await.expect("a preset");
        let copied = store.backup(place("copy")).await.expect("a copy");
        assert!(copied.problems().is_empty());
        store.backup(place("copy")).await.expect_err("the file is there");
        restore(&place("copy"), &place("b.db")).expect("a database");
        restore(&place("copy"), &place("b.db")).expect_err("it exists");
        let again = Store::open(&Location::File(place("b.db")), Durability::Normal).expect("a store");
        assert_eq!(again.presets().await.expect("presets"), [preset()]);
        assert_eq!(again.stats(&TenantId::default_tenant()).await.expect("stats").total, 0);
    }

    #[tokio::test]
    async fn what_is_damaged_or_foreign_is_not_brought_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = |name: &str| directory.path().join(name);
        let store = Store::open(&Location::File(place("a.db")), Durability::Normal).expect("a store");
        store.backup(place("copy")).await.expect("a copy");
        let mut bytes = std::fs::read(place("copy")).expect("bytes");
        bytes[4096..].fill(0xA5);
        std::fs::write(place("damaged"), &bytes).expect("a file");
        std::fs::write(place("foreign"), b"not a database at all, whatever its length may be")
            .expect("a file");
        std::fs::write(place("empty"), b"").expect("a file");
        for name in ["damaged", "foreign", "empty", "missing"] {
            let refused = restore(&place(name), &place("b.db"));
            assert!(refused.is_err(), "{name}: {refused:?}");
            assert!(!place("b.db").exists(), "{name}");
        }
    }

    #[tokio::test]
    async fn memory_has_nothing_to_back_up() {
        let store = Store::open(&Location::Memory, Durability::Full).expect("a store");
        let refused = store.backup("never".into()).await.expect_err("nothing to copy");
        assert!(refused.to_string().contains("memory"), "{refused}");
        assert!(!Path::new("never").exists());
    }

    #[tokio::test]
    async fn a_checkpoint_empties_the_log() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.db");
        let store = Store::open(&Location::File(path), Durability::Normal).expect("a store");
        store.ensure_presets(vec![preset()]).await.expect("a preset");
        assert!(store.figures().wal_bytes > 0);
        store.checkpoint().await.expect("a checkpoint");
        assert_eq!(store.figures().wal_bytes, 0);
    }
}
