//! Counts over a tenant's rows.

use innkeeper_model::id::TenantId;
use rusqlite::{Connection, params};

use crate::{Store, StoreError};

/// Counts, as the database has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoredStats {
    /// Tasks in all.
    pub total: u64,
    /// Tasks with the status `pending`.
    pub pending: u64,
    /// Tasks with the status `running`.
    pub running: u64,
    /// Tasks with the status `paused`.
    pub paused: u64,
    /// Repeating schedules that are not paused and have a next due time.
    pub scheduled_jobs: u64,
    /// One-offs that are not paused and have not been due yet.
    pub timeouts: u64,
    /// Event tasks.
    pub event_tasks: u64,
    /// Runs that wait, for a slot or for a retry.
    pub queued_runs: u64,
    /// Runs that execute.
    pub running_runs: u64,
}

impl Store {
    /// Counts over the tenant's tasks and runs.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn stats(&self, tenant: &TenantId) -> Result<StoredStats, StoreError> {
        let tenant = tenant.clone();
        self.read(move |connection| stats(connection, &tenant)).await
    }
}

fn stats(connection: &Connection, tenant: &TenantId) -> Result<StoredStats, StoreError> {
    let sql = "SELECT count(*),
            count(*) FILTER (WHERE status = 'pending'),
            count(*) FILTER (WHERE status = 'running'),
            count(*) FILTER (WHERE status = 'paused'),
            count(*) FILTER (WHERE nextRunAt IS NOT NULL AND isPaused = 0 AND cron IS NOT NULL),
            count(*) FILTER (WHERE nextRunAt IS NOT NULL AND isPaused = 0 AND cron IS NULL),
            count(*) FILTER (WHERE onEvent IS NOT NULL)
        FROM tasks WHERE tenant = ?1";
    let tasks = connection.prepare_cached(sql)?.query_row(params![tenant.as_str()], |row| {
        Ok(StoredStats {
            total: row.get(0)?,
            pending: row.get(1)?,
            running: row.get(2)?,
            paused: row.get(3)?,
            scheduled_jobs: row.get(4)?,
            timeouts: row.get(5)?,
            event_tasks: row.get(6)?,
            ..StoredStats::default()
        })
    })?;
    let sql = "SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'running')
        FROM runs WHERE tenant = ?1";
    let runs = connection
        .prepare_cached(sql)?
        .query_row(params![tenant.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(StoredStats { queued_runs: runs.0, running_runs: runs.1, ..tasks })
}
