//! Opening a database: whose file it is, its settings, its migrations.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use crate::StoreError;

/// Marks a database file as Innkeeper's: "INNK" as a big-endian number.
const APPLICATION_ID: i32 = 0x494e_4e4b;

/// The schema's history: append only.
const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("migrations/0001_initial.sql")),
    M::up(include_str!("migrations/0002_plugin_policies.sql")),
    M::up(include_str!("migrations/0003_config.sql")),
    M::up(include_str!("migrations/0004_tenants.sql")),
    M::up(include_str!("migrations/0005_operations.sql")),
    M::up(include_str!("migrations/0006_replays.sql")),
    M::up(include_str!("migrations/0007_checks.sql")),
    M::up(include_str!("migrations/0008_plugin_concurrency.sql")),
    M::up(include_str!("migrations/0009_traces.sql")),
    M::up(include_str!("migrations/0010_versions.sql")),
];

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In memory: gone when the store is closed.
    Memory,
    /// In this file, with a write-ahead log beside it.
    File(PathBuf),
}

/// When a write counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it was synced to the disk: it survives a power cut.
    #[default]
    Full,
    /// When the operating system has it: it survives a crash of the process, not a power cut.
    Normal,
}

/// Opens the connection that writes, and brings the schema up to date. A file that is somebody else's, or that a
/// newer version wrote, is left as it is.
pub(crate) fn open_writer(location: &Location, durability: Durability) -> Result<Connection, StoreError> {
    let mut connection = match location {
        Location::Memory => Connection::open_in_memory_with_flags(writing_flags())?,
        Location::File(path) => {
            Connection::open_with_flags(path, writing_flags()).map_err(|error| cannot_open(path, &error))?
        }
    };
    connection.busy_timeout(Duration::from_secs(5))?;
    check_owner(&connection, location)?;
    check_version(&connection, location)?;
    configure(&connection, durability)?;
    migrate(&mut connection, location)?;
    Ok(connection)
}

/// One thread at a time uses a connection, so SQLite need not guard it.
fn writing_flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Opens a connection that can only read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA mmap_size = 268435456;")?;
    Ok(connection)
}

fn cannot_open(path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::Refused(format!("cannot open the database {}: {error}", path.display()))
}

/// Whether the file is marked as Innkeeper's.
pub(crate) fn is_ours(connection: &Connection) -> Result<bool, StoreError> {
    Ok(application_id(connection)? == APPLICATION_ID)
}

/// The newest version of the schema.
pub(crate) fn schema_known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

fn application_id(connection: &Connection) -> Result<i32, StoreError> {
    Ok(connection.query_row("PRAGMA application_id", [], |row| row.get(0))?)
}

fn check_owner(connection: &Connection, location: &Location) -> Result<(), StoreError> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if is_ours(connection)? || (application_id(connection)? == 0 && tables == 0) {
        return Ok(());
    }
    Err(StoreError::Refused(format!("{} is a database of another program", display(location))))
}

fn display(location: &Location) -> String {
    match location {
        Location::Memory => ":memory:".to_owned(),
        Location::File(path) => path.display().to_string(),
    }
}

fn configure(connection: &Connection, durability: Durability) -> Result<(), StoreError> {
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.set_prepared_statement_cache_capacity(128);
    connection.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = {synchronous};
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -65536;
         PRAGMA journal_size_limit = 67108864;"
    ))?;
    Ok(())
}

fn check_version(connection: &Connection, location: &Location) -> Result<(), StoreError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if usize::try_from(version).is_ok_and(|version| version <= MIGRATIONS.len()) {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "{} was written by a newer version (schema {version}, this one knows {}): use that version",
        display(location),
        MIGRATIONS.len()
    )))
}

fn migrate(connection: &mut Connection, location: &Location) -> Result<(), StoreError> {
    let migrated = Migrations::from_slice(MIGRATIONS).to_latest(connection);
    migrated.map_err(|error| StoreError::Sqlite(format!("cannot migrate {}: {error}", display(location))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_valid_and_has_the_specified_columns_first() {
        let connection = open_writer(&Location::Memory, Durability::Full).expect("an open database");
        let columns = |table: &str, count: usize| -> Vec<String> {
            let sql = format!("SELECT name FROM pragma_table_info('{table}') LIMIT {count}");
            let mut statement = connection.prepare(&sql).expect("a valid query");
            let names = statement.query_map([], |row| row.get(0)).expect("rows");
            names.collect::<Result<_, _>>().expect("names")
        };
        assert_eq!(
            columns("tasks", 18).join(" "),
            "id name type preset cron at timezone nextRunAt lastRunAt \
            attempts maxAttempts rateCount rateWindow status isPaused metadata createdAt onEvent"
        );
        assert_eq!(
            columns("task_executions", 7).join(" "),
            "id taskId status startedAt completedAt error attempt"
        );
    }

    #[test]
    fn a_file_of_another_program_or_a_newer_version_is_left_as_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, sql) in [
            ("other", "PRAGMA application_id = 7; CREATE TABLE notes (text)"),
            ("unmarked", "CREATE TABLE notes (text)"),
            ("newer", "PRAGMA application_id = 1229868619; PRAGMA user_version = 999; CREATE TABLE x (y)"),
        ] {
            let path = directory.path().join(name);
            Connection::open(&path).expect("a file").execute_batch(sql).expect("a database");
            let before = std::fs::read(&path).expect("bytes");
            let refused = open_writer(&Location::File(path.clone()), Durability::Full);
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{name}: {refused:?}");
            assert_eq!(std::fs::read(&path).expect("bytes"), before, "{name}");
        }
    }
}
