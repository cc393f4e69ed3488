//! What waits: queued runs, and tasks that listen.

use innkeeper_model::id::{RunId, TaskId, TenantId};
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::TopicPattern;
use rusqlite::{Connection, OptionalExtension as _};

use crate::value::{Columns as _, readable};
use crate::{Store, StoreError};

/// A run that waits for its dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedRun {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The run.
    pub run_id: RunId,
    /// Not to be dispatched before.
    pub ready_at: Timestamp,
    /// Whether an execution of it has started before: it waits for its retry, or was put back.
    pub has_started: bool,
}

/// A run that has not started, or waits for its retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingRun {
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Not to be dispatched before.
    pub ready_at: Timestamp,
    /// The number of the attempt it waits for.
    pub attempt: u32,
}

/// An event task and what it listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// Its pattern.
    pub pattern: TopicPattern,
}

impl Store {
    /// Every queued run, of one task or of all, in the order of recording.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn queued_runs(&self, task: Option<(TenantId, TaskId)>) -> Result<Vec<QueuedRun>, StoreError> {
        self.read(move |connection| match &task {
            None => read_queued(connection, "SELECT * FROM runs WHERE state = 'queued' ORDER BY id", []),
            Some((tenant, id)) => {
                let sql = "SELECT * FROM runs INDEXED BY runs_by_task
                    WHERE tenant = ?1 AND taskId = ?2 AND state = 'queued' ORDER BY id";
                read_queued(connection, sql, [tenant.as_str(), id.as_str()])
            }
        })
        .await
    }

    /// The oldest waiting run of a task.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn waiting_run(
        &self,
        tenant: &TenantId,
        task: &TaskId,
    ) -> Result<Option<WaitingRun>, StoreError> {
        let (tenant, task) = (tenant.clone(), task.clone());
        self.read(move |connection| {
            let sql = "SELECT recordedAt, readyAt, attempt FROM runs INDEXED BY runs_by_task
                WHERE tenant = ?1 AND taskId = ?2 AND state = 'queued' ORDER BY id LIMIT 1";
            let mut statement = connection.prepare_cached(sql)?;
            let waiting = statement.query_row([tenant.as_str(), task.as_str()], |row| {
                Ok(WaitingRun {
                    recorded_at: row.parsed("recordedAt")?,
                    ready_at: row.parsed("readyAt")?,
                    attempt: row.plain("attempt")?,
                })
            });
            Ok(waiting.optional()?)
        })
        .await
    }

    /// Every event task of all tenants.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT tenant, id, onEvent FROM tasks WHERE onEvent IS NOT NULL";
            let mut statement = connection.prepare_cached(sql)?;
            let subscribers = statement.query_map([], |row| {
                Ok(Subscriber {
                    tenant: row.parsed("tenant")?,
                    task_id: row.parsed("id")?,
                    pattern: row.parsed("onEvent")?,
                })
            })?;
            Ok(readable("tasks", subscribers)?)
        })
        .await
    }
}

fn read_queued(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<QueuedRun>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let runs = statement.query_map(parameters, |row| {
        Ok(QueuedRun {
            tenant: row.parsed("tenant")?,
            task_id: row.parsed("taskId")?,
            run_id: row.parsed("id")?,
            ready_at: row.parsed("readyAt")?,
            has_started: row.plain::<Option<String>>("firstStartedAt")?.is_some(),
        })
    })?;
    Ok(readable("runs", runs)?)
}
