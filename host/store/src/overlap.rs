//! Runs of one task that meet: what the policy says is asked of the model, what it needs is counted from live rows.

use innkeeper_model::id::{TaskId, TenantId};
use innkeeper_model::overlap::{OnRecord, may_start, on_record};
use innkeeper_model::task::Overlap;
use innkeeper_model::time::Timestamp;
use rusqlite::Connection;

use crate::StoreError;
use crate::record::Consequences;
use crate::run::Claimed;
use crate::skip::{self, Skip, SkipReason};
use crate::target::Target;
use crate::value::Columns as _;

/// Makes room for a new run of the task that was due, or published, at `at`. Returns whether it is to be recorded; if
/// not, it has been noted as skipped.
pub(crate) fn make_room(
    connection: &Connection,
    target: &Target,
    at: Timestamp,
    consequences: &mut Consequences,
) -> Result<bool, StoreError> {
    let (tenant, task) = (&target.tenant, &target.task_id);
    match on_record(target.overlap, target.is_busy) {
        OnRecord::Record => {}
        OnRecord::Skip => {
            skip::note(connection, tenant, task, &Skip::one(SkipReason::Overlap, at))?;
            return Ok(false);
        }
        OnRecord::ReplaceWaiting => skip_waiting(connection, tenant, task)?,
        OnRecord::CancelPrevious => {
            skip_waiting(connection, tenant, task)?;
            cancel_started(connection, tenant, task, consequences)?;
        }
    }
    Ok(true)
}

/// Whether a run must wait for others of its task.
pub(crate) fn is_blocked(
    connection: &Connection,
    claimed: &Claimed,
    policy: Overlap,
    concurrency: Option<u32>,
) -> Result<bool, StoreError> {
    if policy == Overlap::Allow && concurrency.is_none() {
        return Ok(false);
    }
    let sql = "SELECT count(*), count(*) FILTER (WHERE state = 'running') FROM runs INDEXED BY runs_started
        WHERE tenant = ?1 AND taskId = ?2 AND firstStartedAt IS NOT NULL AND id <> ?3";
    let key = (claimed.tenant.as_str(), claimed.task_id.as_str(), claimed.run_id.to_string());
    let (started, running) =
        connection.prepare_cached(sql)?.query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(!may_start(policy, concurrency, claimed.has_started, started, running))
}

/// Whether a run's plugin has as many executions as it may have at once. Only plugins that have such a limit pay for it.
pub(crate) fn is_plugin_busy(
    connection: &Connection,
    claimed: &Claimed,
    concurrency: Option<u32>,
) -> Result<bool, StoreError> {
    let Some(most) = concurrency else { return Ok(false) };
    let sql = "SELECT count(*) FROM runs INDEXED BY runs_started
        WHERE tenant = ?1 AND firstStartedAt IS NOT NULL AND state = 'running' AND plugin = ?2";
    let key = (claimed.tenant.as_str(), claimed.plugin.as_str());
    let running: u32 = connection.prepare_cached(sql)?.query_row(key, |row| row.get(0))?;
    Ok(running >= most)
}

/// Takes out the runs that have not started, other than those somebody started by hand.
fn skip_waiting(connection: &Connection, tenant: &TenantId, task: &TaskId) -> Result<(), StoreError> {
    let sql = "DELETE FROM runs INDEXED BY runs_by_task
        WHERE tenant = ?1 AND taskId = ?2 AND firstStartedAt IS NULL AND trigger <> 'manual'
        RETURNING coalesce(scheduledAt, recordedAt) AS at";
    skip_deleted(connection, sql, tenant, task)
}

/// Deletes runs, and notes each as skipped.
fn skip_deleted(
    connection: &Connection,
    sql: &str,
    tenant: &TenantId,
    task: &TaskId,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let key = [tenant.as_str(), task.as_str()];
    let times: Vec<Timestamp> =
        statement.query_map(key, |row| row.parsed("at"))?.collect::<Result<_, _>>()?;
    for at in times {
        skip::note(connection, tenant, task, &Skip::one(SkipReason::Overlap, at))?;
    }
    Ok(())
}

/// Ends the runs that wait for a retry, and names the executions of those that run.
fn cancel_started(
    connection: &Connection,
    tenant: &TenantId,
    task: &TaskId,
    consequences: &mut Consequences,
) -> Result<(), StoreError> {
    let key = [tenant.as_str(), task.as_str()];
    let sql = "DELETE FROM runs INDEXED BY runs_started
        WHERE tenant = ?1 AND taskId = ?2 AND state = 'queued' AND firstStartedAt IS NOT NULL
        RETURNING coalesce(scheduledAt, recordedAt) AS at";
    skip_deleted(connection, sql, tenant, task)?;
    consequences.reopened.push((tenant.clone(), task.clone()));
    let sql = "SELECT executionId FROM runs INDEXED BY runs_started
        WHERE tenant = ?1 AND taskId = ?2 AND firstStartedAt IS NOT NULL AND state = 'running'";
    let mut statement = connection.prepare_cached(sql)?;
    for execution in statement.query_map(key, |row| row.parsed("executionId"))? {
        consequences.cancelled.push(execution?);
    }
    Ok(())
}
