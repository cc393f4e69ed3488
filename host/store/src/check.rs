//! Whether a database file is whole: what a program can know of it without changing it.

use std::collections::BTreeSet;
use std::path::Path;

use innkeeper_model::id::Digest;
use rusqlite::{Connection, OpenFlags};

use crate::config::{StoredSecret, some_secret};
use crate::connection::{is_ours, schema_known};
use crate::{StoreError, value::Columns as _};

/// Complaints of the integrity check that are kept.
const COMPLAINTS_MAX: u32 = 10;

/// What must not be there, in words and as a count of rows. References of one table to another that SQLite guards itself are
/// not among them.
const ORPHANS: [(&str, &str); 4] = [
    (
        "execution(s) recorded as running without a run",
        "SELECT count(*) FROM task_executions x WHERE x.status = 'running' AND NOT EXISTS (
            SELECT 1 FROM runs r WHERE r.tenant = x.tenant AND r.executionId = x.id)",
    ),
    (
        "run(s) that execute without an execution",
        "SELECT count(*) FROM runs r WHERE r.executionId IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM task_executions x WHERE x.tenant = r.tenant AND x.id = r.executionId)",
    ),
    (
        "run(s) without a task",
        "SELECT count(*) FROM runs r WHERE NOT EXISTS (
            SELECT 1 FROM tasks t WHERE t.tenant = r.tenant AND t.id = r.taskId)",
    ),
    (
        "task(s) whose handler does not exist",
        "SELECT count(*) FROM tasks t WHERE NOT EXISTS (
            SELECT 1 FROM plugins p WHERE p.tenant = t.tenant AND p.name = t.plugin)",
    ),
];

/// What was found in a database file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Bytes of the file.
    pub bytes: u64,
    /// The version of its schema.
    pub schema_version: u32,
    /// The newest version that this program knows.
    pub schema_known: u32,
    /// What the integrity check complains of; nothing if the file is whole.
    pub damage: Vec<String>,
    /// References that lead nowhere.
    pub broken_references: u64,
    /// What must not be there: in words, and how often it is.
    pub orphans: Vec<(&'static str, u64)>,
    /// Every plugin version.
    pub versions: BTreeSet<Digest>,
    /// How many secrets are stored.
    pub secrets: u64,
    /// One of them, to try a key on.
    pub some_secret: Option<StoredSecret>,
}

impl Check {
    /// Everything that is wrong, in words.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> =
            self.damage.iter().map(|complaint| format!("the file is damaged: {complaint}")).collect();
        if self.broken_references > 0 {
            problems.push(format!("{} reference(s) lead nowhere", self.broken_references));
        }
        problems.extend(self.orphans.iter().map(|(what, count)| format!("{count} {what}")));
        problems
    }
}

/// Looks through a database file that nobody writes to. An older schema is checked for damage only.
///
/// # Errors
/// [`StoreError::Refused`] if it cannot be opened, belongs to another program or was written by a newer version;
/// [`StoreError::Broken`] if it is so damaged that it cannot be read.
pub fn check(database: &Path) -> Result<Check, StoreError> {
    let shown = database.display();
    let refused = |why: String| StoreError::Refused(why);
    let bytes = database.metadata().map_err(|error| refused(format!("cannot read {shown}: {error}")))?.len();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)
        .map_err(|error| refused(format!("cannot open {shown}: {error}")))?;
    if bytes == 0 || !is_ours(&connection)? {
        return Err(refused(format!("{shown} is not a database of innkeeper")));
    }
    let schema_version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if schema_version > schema_known() {
        return Err(refused(format!(
            "{shown} was written by a newer version (schema {schema_version}, this one knows {}): use that version",
            schema_known()
        )));
    }
    let is_current = schema_version == schema_known();
    Ok(Check {
        bytes,
        schema_version,
        schema_known: schema_known(),
        damage: damage(&connection)?,
        broken_references: connection.query_row(
            "SELECT count(*) FROM pragma_foreign_key_check",
            [],
            |row| row.get(0),
        )?,
        orphans: if is_current { orphans(&connection)? } else { Vec::new() },
        versions: if is_current { versions(&connection)? } else { BTreeSet::new() },
        secrets: if is_current { secrets(&connection)? } else { 0 },
        some_secret: if is_current { some_secret(&connection)? } else { None },
    })
}

fn damage(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({COMPLAINTS_MAX})"))?;
    let complaints = statement.query_map([], |row| row.get::<_, String>(0))?;
    let complaints: Vec<String> = complaints.collect::<Result<_, _>>()?;
    Ok(complaints.into_iter().filter(|complaint| complaint != "ok").collect())
}

fn orphans(connection: &Connection) -> Result<Vec<(&'static str, u64)>, StoreError> {
    let mut found = Vec::new();
    for (what, sql) in ORPHANS {
        let count: u64 = connection.query_row(sql, [], |row| row.get(0))?;
        if count > 0 {
            found.push((what, count));
        }
    }
    Ok(found)
}

fn secrets(connection: &Connection) -> Result<u64, StoreError> {
    Ok(connection.query_row("SELECT count(*) FROM config WHERE isSecret", [], |row| row.get(0))?)
}

fn versions(connection: &Connection) -> Result<BTreeSet<Digest>, StoreError> {
    let mut statement = connection.prepare("SELECT digest FROM plugin_versions")?;
    let digests = statement.query_map([], |row| row.parsed("digest"))?;
    Ok(digests.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Durability, Location, Store};

    #[test]
    fn what_must_not_be_there_is_found() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.db");
        drop(Store::open(&Location::File(path.clone()), Durability::Normal).expect("a store"));
        assert_eq!(check(&path).expect("a database").problems(), Vec::<String>::new());
        let spoil = Connection::open(&path).expect("a connection");
        spoil
            .execute_batch(
                "PRAGMA foreign_keys = OFF;
                INSERT INTO task_executions (tenant, id, taskId, status, startedAt, attempt, runId, trigger, plugin,
                    pluginDigest) VALUES ('default', 'x', 't', 'running', '2025', 1, 'r', 'manual', 'p', 'd');
                INSERT INTO logs (tenant, executionId, line, at, level, message)
                    VALUES ('default', 'gone', 0, '2025', 'info', 'm');",
            )
            .expect("spoilt");
        drop(spoil);
        let problems = check(&path).expect("a database").problems();
        assert_eq!(
            problems,
            ["1 reference(s) lead nowhere", "1 execution(s) recorded as running without a run"]
        );
    }
}
