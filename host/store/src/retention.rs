//! Retention: what is old goes, in steps so small that nobody waits for one.
//!
//! A step looks with a reader, then deletes with the writer what it found, which checks each row once more. Kept are: what a
//! run in progress refers to, what a sliding rate limit still counts, and the latest success of a task that is expected to
//! succeed.

use innkeeper_model::id::{EventId, ExecutionId, TaskId, TenantId};
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// Rows that one step deletes at most.
const STEP_MAX: u32 = 100;

/// Tasks or rows that one step looks at, at most.
const LOOK_MAX: u32 = 1000;

/// Rows of `runs` that all deletions of one step may look at together: deleting an event asks whether a run refers to it.
const RUNS_SEEN_MAX: u64 = 100_000;

/// What a step did, and where the next one goes on; `None` if there is nothing left to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<T> {
    /// Rows that were deleted.
    pub deleted: u64,
    /// Where to go on.
    pub next: Option<T>,
}

impl<T> Step<T> {
    fn done() -> Self {
        Self { deleted: 0, next: None }
    }
}

impl Store {
    /// Every tenant's id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tenant_ids(&self) -> Result<Vec<TenantId>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id FROM tenants ORDER BY id")?;
            let ids = statement.query_map([], |row| row.parsed("id"))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Deletes some of a tenant's executions that started before `before`, with their logs, after the execution `after`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn prune_executions(
        &self,
        tenant: &TenantId,
        before: Timestamp,
        after: Option<ExecutionId>,
        now: Timestamp,
    ) -> Result<Step<ExecutionId>, StoreError> {
        let key = tenant.clone();
        let found = self.read(move |connection| old_executions(connection, &key, before, after)).await?;
        let Some(last) = found.last().copied() else { return Ok(Step::done()) };
        let deleted = self.delete_executions(tenant, found, now).await?;
        Ok(Step { deleted, next: Some(last) })
    }

    /// Deletes what one task of a tenant has beyond its latest `keep` executions, with their logs: of the first task after
    /// `after` that has more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn prune_crowded_task(
        &self,
        tenant: &TenantId,
        keep: u32,
        after: Option<TaskId>,
        now: Timestamp,
    ) -> Result<Step<TaskId>, StoreError> {
        let key = tenant.clone();
        let (last, mut found) =
            self.read(move |connection| crowded_task(connection, &key, keep, after)).await?;
        let Some(task) = last else { return Ok(Step::done()) };
        let mut deleted = 0;
        while !found.is_empty() {
            let gone = self.delete_executions(tenant, found, now).await?;
            deleted += gone;
            // If all of these must stay, those behind them come another time.
            if gone == 0 {
                break;
            }
            let key = (tenant.clone(), task.clone());
            found = self.read(move |connection| surplus(connection, &key.0, &key.1, keep)).await?;
        }
        Ok(Step { deleted, next: Some(task) })
    }

    /// Deletes some of a tenant's events that were published before `before`, after the event `after`. One with an
    /// idempotency key stays until `keyed_before`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn prune_events(
        &self,
        tenant: &TenantId,
        before: Timestamp,
        keyed_before: Timestamp,
        after: Option<EventId>,
    ) -> Result<Step<EventId>, StoreError> {
        let key = tenant.clone();
        let found = self
            .read(move |connection| {
                let limit = event_step(count_runs(connection, &key)?);
                old_events(connection, &key, before, after, limit)
            })
            .await?;
        let Some(last) = found.last().copied() else { return Ok(Step::done()) };
        let key = tenant.clone();
        let deleted =
            self.write(move |connection| delete_events(connection, &key, &found, keyed_before)).await?;
        Ok(Step { deleted, next: Some(last) })
    }

    /// Deletes some rows of the skip ledger, of all tenants, whose last due time was before `before`, after row `after`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn prune_skips(&self, before: Timestamp, after: i64) -> Result<Step<i64>, StoreError> {
        let before = before.to_string();
        let last = self.read(move |connection| nth_skip(connection, after)).await?;
        let Some(last) = last else { return Ok(Step::done()) };
        let deleted = self
            .write(move |connection| {
                let sql = "DELETE FROM skips WHERE id > ?1 AND id <= ?2 AND toAt < ?3";
                Ok(connection.prepare_cached(sql)?.execute(params![after, last, before])? as u64)
            })
            .await?;
        Ok(Step { deleted, next: Some(last) })
    }

    async fn delete_executions(
        &self,
        tenant: &TenantId,
        executions: Vec<ExecutionId>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let tenant = tenant.clone();
        self.write(move |connection| delete_executions(connection, &tenant, &executions, now)).await
    }
}

/// Events that a step may delete while so many runs are in progress.
fn event_step(runs: u64) -> u32 {
    u32::try_from(RUNS_SEEN_MAX / (runs + 1)).unwrap_or(STEP_MAX).clamp(1, STEP_MAX)
}

fn count_runs(connection: &Connection, tenant: &TenantId) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM runs WHERE tenant = ?1 LIMIT ?2)";
    Ok(connection
        .prepare_cached(sql)?
        .query_row(params![tenant.as_str(), RUNS_SEEN_MAX], |row| row.get(0))?)
}

/// Identifiers begin with the time they were made at, so that their order is that of time.
fn old_executions(
    connection: &Connection,
    tenant: &TenantId,
    before: Timestamp,
    after: Option<ExecutionId>,
) -> Result<Vec<ExecutionId>, StoreError> {
    let sql = "SELECT id FROM task_executions WHERE tenant = ?1 AND id > ?2 AND id < ?3 ORDER BY id LIMIT ?4";
    let after = after.map_or_else(String::new, |id| id.to_string());
    let before = ExecutionId::new(before, [0; 10]).to_string();
    let mut statement = connection.prepare_cached(sql)?;
    let ids =
        statement.query_map(params![tenant.as_str(), after, before, STEP_MAX], |row| row.parsed("id"))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

fn old_events(
    connection: &Connection,
    tenant: &TenantId,
    before: Timestamp,
    after: Option<EventId>,
    limit: u32,
) -> Result<Vec<EventId>, StoreError> {
    let sql = "SELECT id FROM events WHERE tenant = ?1 AND id > ?2 AND id < ?3 ORDER BY id LIMIT ?4";
    let after = after.map_or_else(String::new, |id| id.to_string());
    let before = EventId::new(before, [0; 10]).to_string();
    let mut statement = connection.prepare_cached(sql)?;
    let ids = statement.query_map(params![tenant.as_str(), after, before, limit], |row| row.parsed("id"))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The first task that has too many executions, or else the last one that was looked at, and some of those that are too
/// many. No task if there are no more.
fn crowded_task(
    connection: &Connection,
    tenant: &TenantId,
    keep: u32,
    after: Option<TaskId>,
) -> Result<(Option<TaskId>, Vec<ExecutionId>), StoreError> {
    let mut last = after;
    for _ in 0..LOOK_MAX {
        let Some(task) = next_task(connection, tenant, last.as_ref())? else { return Ok((None, Vec::new())) };
        let found = surplus(connection, tenant, &task, keep)?;
        if !found.is_empty() {
            return Ok((Some(task), found));
        }
        last = Some(task);
    }
    Ok((last, Vec::new()))
}

/// The next task that has executions, whether or not it exists.
fn next_task(
    connection: &Connection,
    tenant: &TenantId,
    after: Option<&TaskId>,
) -> Result<Option<TaskId>, StoreError> {
    let sql = "SELECT taskId FROM task_executions INDEXED BY task_executions_by_task
        WHERE tenant = ?1 AND taskId > ?2 ORDER BY taskId LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let key = [tenant.as_str(), after.map_or("", TaskId::as_str)];
    Ok(statement.query_row(key, |row| row.parsed("taskId")).optional()?)
}

/// Executions of a task beyond the latest `keep`, the oldest first.
fn surplus(
    connection: &Connection,
    tenant: &TenantId,
    task: &TaskId,
    keep: u32,
) -> Result<Vec<ExecutionId>, StoreError> {
    let sql = "SELECT id FROM task_executions INDEXED BY task_executions_by_task
        WHERE tenant = ?1 AND taskId = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3";
    let key = params![tenant.as_str(), task.as_str(), keep];
    let newest: Option<String> =
        connection.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
    let Some(newest) = newest else { return Ok(Vec::new()) };
    let sql = "SELECT id FROM task_executions INDEXED BY task_executions_by_task
        WHERE tenant = ?1 AND taskId = ?2 AND id <= ?3 ORDER BY id LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let key = params![tenant.as_str(), task.as_str(), newest, STEP_MAX];
    let ids = statement.query_map(key, |row| row.parsed("id"))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

fn delete_executions(
    connection: &Connection,
    tenant: &TenantId,
    executions: &[ExecutionId],
    now: Timestamp,
) -> Result<u64, StoreError> {
    let sql = "DELETE FROM task_executions AS x WHERE x.tenant = ?1 AND x.id = ?2 AND x.status <> 'running'
        AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.tenant = x.tenant AND r.id = x.runId)
        AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.tenant = x.tenant AND t.id = x.taskId
            AND json_extract(t.rateLimit, '$.strategy') = 'sliding'
            AND (julianday(?3) - julianday(x.startedAt)) * 86400000.0 <= json_extract(t.rateLimit, '$.intervalMs'))
        AND NOT (x.status = 'success'
            AND EXISTS (SELECT 1 FROM tasks t
                WHERE t.tenant = x.tenant AND t.id = x.taskId AND t.expectWithin IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM task_executions y INDEXED BY task_executions_by_task
                WHERE y.tenant = x.tenant AND y.taskId = x.taskId AND y.id > x.id AND y.status = 'success'))";
    let mut statement = connection.prepare_cached(sql)?;
    let now = now.to_string();
    let mut deleted = 0;
    for execution in executions {
        deleted += statement.execute(params![tenant.as_str(), execution.to_string(), now])? as u64;
    }
    Ok(deleted)
}

fn delete_events(
    connection: &Connection,
    tenant: &TenantId,
    events: &[EventId],
    keyed_before: Timestamp,
) -> Result<u64, StoreError> {
    let sql = "DELETE FROM events WHERE tenant = ?1 AND id = ?2
        AND (idempotencyKey IS NULL OR publishedAt < ?3)
        AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.tenant = events.tenant AND r.eventId = events.id)";
    let mut statement = connection.prepare_cached(sql)?;
    let keyed_before = keyed_before.to_string();
    let mut deleted = 0;
    for event in events {
        deleted += statement.execute(params![tenant.as_str(), event.to_string(), keyed_before])? as u64;
    }
    Ok(deleted)
}

/// The row of the ledger that a step ends with.
fn nth_skip(connection: &Connection, after: i64) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT max(id) FROM (SELECT id FROM skips WHERE id > ?1 ORDER BY id LIMIT ?2)";
    Ok(connection.prepare_cached(sql)?.query_row(params![after, LOOK_MAX], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_runs_there_are_the_smaller_is_a_step() {
        assert_eq!(event_step(0), STEP_MAX);
        assert_eq!(event_step(9_999), 10);
        assert_eq!(event_step(1_000_000), 1);
    }
}
