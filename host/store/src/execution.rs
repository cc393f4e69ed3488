//! The tables `task_executions` and `logs`: the audit trail.

use innkeeper_model::execution::{Execution, ExecutionStatus, LogLine};
use innkeeper_model::id::{ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::trace::TraceId;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// Which executions to list.
#[derive(Debug, Clone, Default)]
pub struct ExecutionFilter {
    /// Only those of this task.
    pub task: Option<TaskId>,
    /// Only those with this status.
    pub status: Option<ExecutionStatus>,
    /// Only those that started before this one.
    pub before: Option<ExecutionId>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// Executions, the newest first. Those of deleted tasks are among them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn executions(
        &self,
        tenant: &TenantId,
        filter: ExecutionFilter,
    ) -> Result<Vec<Execution>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |connection| list(connection, &tenant, &filter)).await
    }

    /// The execution with this id, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn execution(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<Execution>, StoreError> {
        let (tenant, id) = (tenant.clone(), id.to_string());
        self.read(move |connection| {
            let sql = "SELECT * FROM task_executions WHERE tenant = ?1 AND id = ?2";
            Ok(connection.prepare_cached(sql)?.query_row((tenant.as_str(), id), read).optional()?)
        })
        .await
    }

    /// What an execution logged, in order.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn logs(&self, tenant: &TenantId, id: &ExecutionId) -> Result<Vec<LogLine>, StoreError> {
        let (tenant, id) = (tenant.clone(), id.to_string());
        self.read(move |connection| {
            let sql =
                "SELECT at, level, message FROM logs WHERE tenant = ?1 AND executionId = ?2 ORDER BY line";
            let mut statement = connection.prepare_cached(sql)?;
            let lines = statement.query_map((tenant.as_str(), id), |row| {
                Ok(LogLine {
                    at: row.parsed("at")?,
                    level: row.parsed("level")?,
                    message: row.plain("message")?,
                })
            })?;
            Ok(lines.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn list(
    connection: &Connection,
    tenant: &TenantId,
    filter: &ExecutionFilter,
) -> Result<Vec<Execution>, StoreError> {
    let (of_task, index) = match &filter.task {
        Some(_) => ("taskId = :task", "INDEXED BY task_executions_by_task"),
        None => (":task IS NULL", ""),
    };
    let before = if filter.before.is_some() { "id < :before" } else { ":before IS NULL" };
    let sql = format!(
        "SELECT * FROM task_executions {index} WHERE tenant = :tenant AND {of_task} AND {before}
            AND (:status IS NULL OR status = :status) ORDER BY id DESC LIMIT :limit"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let executions = statement.query_map(
        named_params! {
            ":tenant": tenant.as_str(),
            ":task": filter.task.as_ref().map(TaskId::as_str),
            ":before": filter.before.map(|id| id.to_string()),
            ":status": filter.status.map(ExecutionStatus::as_str),
            ":limit": filter.limit,
        },
        read,
    )?;
    Ok(executions.collect::<Result<_, _>>()?)
}

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Execution> {
    let run_id: RunId = row.parsed("runId")?;
    Ok(Execution {
        id: row.parsed("id")?,
        task_id: row.parsed("taskId")?,
        status: row.parsed("status")?,
        started_at: row.parsed("startedAt")?,
        completed_at: row.parsed_option("completedAt")?,
        error: row.plain("error")?,
        attempt: row.plain("attempt")?,
        run_id,
        kind: row.parsed_option("kind")?,
        trigger: row.parsed("trigger")?,
        event: row.plain("event")?,
        scheduled_at: row.parsed_option("scheduledAt")?,
        output: row.plain("output")?,
        receipt: row.json("receipt")?,
        plugin: row.parsed("plugin")?,
        plugin_digest: row.parsed("pluginDigest")?,
        trace_id: row.parsed_option("traceId")?.unwrap_or_else(|| TraceId::of_run(run_id)),
    })
}
