//! What whoever operates a host asks of it.

use std::path::PathBuf;

use innkeeper_store::Location;

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

/// The name of a copy of the database while it is in the data directory.
const COPY: &str = "backup.tmp";

impl TaskRunner {
    /// Writes a copy of the database, as it is at this moment, beside it and checks the copy; whoever asked removes it. One
    /// that was left behind is replaced. `None` if everything is in memory: then there is nothing to copy.
    ///
    /// # Errors
    /// Those of the store: there is no room for it, or it is not whole.
    pub async fn backup(&self) -> Result<Option<PathBuf>, RunnerError> {
        let store = &self.0.store;
        let Location::File(database) = store.location() else { return Ok(None) };
        let copy = database.with_file_name(COPY);
        // There is none to be removed, unless the process ended while it was sent.
        let _left_behind = std::fs::remove_file(&copy);
        let checked = store.backup(copy.clone()).await?;
        tracing::info!(bytes = checked.bytes, "backup.taken");
        Ok(Some(copy))
    }

    /// Whether the disk was full when something was to be written, and has had no room since.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.store.is_full()
    }

    /// Bytes of the disk that are free; `None` if everything is in memory.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        self.0.store.free_bytes()
    }

    /// Makes sure that the store answers.
    ///
    /// # Errors
    /// It does not any more.
    pub async fn probe(&self) -> Result<(), RunnerError> {
        Ok(self.0.store.probe().await?)
    }

    /// Empties the write-ahead log into the database: the last act of an orderly stop.
    ///
    /// # Errors
    /// Those of the store; the log is then read at the next start.
    pub async fn checkpoint(&self) -> Result<(), RunnerError> {
        Ok(self.0.store.checkpoint().await?)
    }
}
