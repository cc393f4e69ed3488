//! What the store can answer instead of what was asked for.

use innkeeper_model::id::Digest;
use innkeeper_model::precondition::PreconditionFailed;
use innkeeper_model::rollout::Capability;
use rusqlite::ErrorCode;

/// Why the store did not do what it was asked to. Nothing of a refused command is kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A task with this id exists.
    #[error("a task with the id `{0}` exists already")]
    TaskExists(String),
    /// The plugin, or the version named, does not exist.
    #[error("the plugin `{0}` does not exist")]
    PluginMissing(String),
    /// The plugin is still needed by tasks.
    #[error(
        "the plugin `{plugin}` is used by {tasks} task(s) and {runs} unfinished run(s); delete the tasks first"
    )]
    PluginInUse {
        /// The plugin.
        plugin: String,
        /// How many tasks name it.
        tasks: u32,
        /// How many unfinished runs do.
        runs: u32,
    },
    /// A version asks for kinds of grants that the active one does not ask for and nobody has granted.
    #[error(
        "the version reaches for what the active version of `{plugin}` does not, and none of it is granted: {}",
        list(kinds)
    )]
    GrantsNeeded {
        /// The plugin.
        plugin: String,
        /// What somebody has to decide about.
        kinds: Vec<Capability>,
    },
    /// A version is still needed.
    #[error("the version cannot be deleted: {}", needs(*is_active, *runs, *tasks))]
    VersionInUse {
        /// The version.
        digest: Digest,
        /// Whether it is the active one.
        is_active: bool,
        /// Unfinished runs that were recorded with it.
        runs: u64,
        /// Tasks that name it.
        tasks: u64,
    },
    /// What was to be changed is not as it was demanded to be.
    #[error(transparent)]
    Precondition(#[from] PreconditionFailed),
    /// The disk is full. Reads go on.
    #[error("the disk is full: free space in the data directory; nothing was stored")]
    Full,
    /// Another program holds the database's lock.
    #[error("the database is locked by another program; nothing was stored")]
    Locked,
    /// The disk failed or the file is damaged. The store stops: nothing can be promised any more.
    #[error(
        "the database cannot be relied on any more: {0}; `innkeeper doctor` says what is wrong with it, and a backup takes its \
        place with `innkeeper restore`"
    )]
    Broken(String),
    /// What was to be stored could not be read.
    #[error("an upload could not be read: {0}; nothing was stored")]
    Unread(String),
    /// A row does not hold what its column should.
    #[error("the database holds a bad value: {0}")]
    BadRow(String),
    /// The file is not ours, or of a newer version.
    #[error("{0}")]
    Refused(String),
    /// The store has stopped: it was closed, or a write could not be synced.
    #[error("the store has stopped")]
    Stopped,
    /// SQLite failed.
    #[error("the database failed: {0}")]
    Sqlite(String),
}

fn list(kinds: &[Capability]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}

fn needs(is_active: bool, runs: u64, tasks: u64) -> String {
    match (is_active, runs, tasks) {
        (true, ..) => "it is the active one".to_owned(),
        (false, 0, 0) => "it is the only one; delete the plugin instead".to_owned(),
        (false, runs, tasks) => {
            format!("{runs} unfinished run(s) were recorded with it and {tasks} task(s) name it")
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DiskFull => Self::Full,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked,
                ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    Self::Broken(error.to_string())
                }
                _ => Self::Sqlite(error.to_string()),
            },
            rusqlite::Error::FromSqlConversionFailure(_, _, source) => Self::BadRow(source.to_string()),
            _ => Self::Sqlite(error.to_string()),
        }
    }
}
