//! Pausing, resuming and deleting tasks.

use innkeeper_model::id::{ExecutionId, TaskId, TenantId};
use innkeeper_model::precondition::Precondition;
use innkeeper_model::task::Task;
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, params};

use crate::skip::{self, Skip};
use crate::value::Columns as _;
use crate::{Store, StoreError, alert, task};

/// What went with a deleted task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The executions that were running: their runs are gone, and they should be stopped.
    pub running: Vec<ExecutionId>,
}

impl Store {
    /// Pauses a task. A repeating one has no next due time while it is paused; a one-off keeps its own. `None` if it does not exist, else whether it was not paused before.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn pause_task(&self, tenant: &TenantId, id: &TaskId) -> Result<Option<bool>, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.write(move |connection| {
            let sql = "UPDATE tasks SET isPaused = 1, pauseReason = NULL, revision = revision + 1,
                nextRunAt = CASE WHEN cron IS NULL THEN nextRunAt END,
                status = CASE status WHEN 'running' THEN status ELSE 'paused' END
                WHERE tenant = ?1 AND id = ?2 AND isPaused = 0";
            switch(connection, sql, params![tenant.as_str(), id.as_str()], &tenant, &id)
        })
        .await
    }

    /// Resumes a task; a repeating one is due next at `next_run_at`, and `skipped` are its due times that passed while it
    /// was paused. `None` if it does not exist, else whether it was paused before.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn resume_task(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        next_run_at: Option<Timestamp>,
        skipped: Option<Skip>,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        let next = next_run_at.map(|at| at.to_string());
        self.write(move |connection| {
            let sql = "UPDATE tasks SET isPaused = 0, pauseReason = NULL, revision = revision + 1,
                nextRunAt = CASE WHEN cron IS NULL THEN nextRunAt ELSE ?3 END,
                status = CASE status WHEN 'running' THEN status ELSE 'pending' END
                WHERE tenant = ?1 AND id = ?2 AND isPaused = 1";
            let values = params![tenant.as_str(), id.as_str(), next];
            let resumed = switch(connection, sql, values, &tenant, &id)?;
            if resumed == Some(true) {
                alert::expect_from(connection, &tenant, &id, now)?;
            }
            if let (Some(true), Some(skipped)) = (resumed, &skipped) {
                skip::note_resumption(connection, &tenant, &id, skipped)?;
            }
            Ok(resumed)
        })
        .await
    }

    /// Deletes a task with its runs; its executions stay in the audit trail, those that run closed as cancelled. `None`
    /// if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::Precondition`] if the task is not as demanded.
    pub async fn delete_task(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        precondition: Precondition,
        now: Timestamp,
    ) -> Result<Option<Deleted>, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.write(move |connection| {
            let task = task::find(connection, &tenant, &id)?;
            precondition.check(task.as_ref().map(Task::tag).as_deref())?;
            delete(connection, &tenant, &id, now)
        })
        .await
    }
}

/// Runs an update that changes one row or none; tells a task that does not exist from one that needed no change.
fn switch(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    tenant: &TenantId,
    id: &TaskId,
) -> Result<Option<bool>, StoreError> {
    if connection.prepare_cached(sql)?.execute(parameters)? == 1 {
        return Ok(Some(true));
    }
    let exists = connection.prepare_cached("SELECT 1 FROM tasks WHERE tenant = ?1 AND id = ?2")?;
    let mut exists = exists;
    Ok(exists.exists([tenant.as_str(), id.as_str()])?.then_some(false))
}

/// Deletes a task with its runs; `None` if it does not exist.
pub(crate) fn delete(
    connection: &Connection,
    tenant: &TenantId,
    id: &TaskId,
    now: Timestamp,
) -> Result<Option<Deleted>, StoreError> {
    let sql =
        "UPDATE task_executions SET status = 'failed', completedAt = max(?3, startedAt), kind = 'cancelled',
            error = 'its task was deleted'
        WHERE tenant = ?1 AND id IN (SELECT executionId FROM runs INDEXED BY runs_started
            WHERE tenant = ?1 AND taskId = ?2 AND firstStartedAt IS NOT NULL AND state = 'running')
        RETURNING id";
    let mut statement = connection.prepare_cached(sql)?;
    let key = params![tenant.as_str(), id.as_str(), now.to_string()];
    let running = statement.query_map(key, |row| row.parsed("id"))?.collect::<Result<_, _>>()?;
    let sql = "DELETE FROM tasks WHERE tenant = ?1 AND id = ?2";
    let deleted = connection.prepare_cached(sql)?.execute([tenant.as_str(), id.as_str()])? == 1;
    Ok(deleted.then_some(Deleted { running }))
}
