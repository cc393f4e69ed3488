//! Recovery: what a host that went away without a word has left is put right before anything else happens.

use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::{ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::run::{Recovery, recover as decide};
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::settle::refresh_task;
use crate::value::{Columns as _, readable};
use crate::{Store, StoreError, dead, suspect};

/// What recovery found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Executions that were running and are now failed as `interrupted`.
    pub interrupted: u32,
    /// Runs that ended with it, because they had been interrupted too often.
    pub ended: u32,
    /// Plugin versions that are quarantined now, because the host crashed too often while they ran.
    pub quarantined: u32,
}

struct Orphan {
    tenant: TenantId,
    task: TaskId,
    run: RunId,
    execution: ExecutionId,
    interruptions: u32,
    /// Tenant, plugin and digest.
    version: (String, String, String),
}

impl Store {
    /// Closes every execution that is recorded as running and makes its run ready again, or ends it if it has been
    /// interrupted too often. To be called once, before anything is claimed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn recover(&self, now: Timestamp) -> Result<Recovered, StoreError> {
        self.write(move |connection| recover(connection, now)).await
    }
}

fn recover(connection: &Connection, now: Timestamp) -> Result<Recovered, StoreError> {
    let mut recovered = Recovered::default();
    let orphans = orphans(connection)?;
    let mut versions: Vec<_> = orphans.iter().map(|orphan| orphan.version.clone()).collect();
    versions.sort_unstable();
    versions.dedup();
    recovered.quarantined = suspect::blame(connection, &versions, now)?;
    for orphan in orphans {
        recovered.interrupted += 1;
        close_execution(connection, &orphan, now)?;
        recovered.ended += u32::from(settle_run(connection, &orphan, now)?);
        refresh_task(connection, &orphan.tenant, &orphan.task)?;
    }
    Ok(recovered)
}

fn orphans(connection: &Connection) -> Result<Vec<Orphan>, StoreError> {
    let sql = "SELECT tenant, taskId, id, executionId, interruptions, plugin, pluginDigest FROM runs
        WHERE firstStartedAt IS NOT NULL AND state = 'running' ORDER BY tenant, id";
    let mut statement = connection.prepare(sql)?;
    let read = |row: &Row<'_>| {
        Ok(Orphan {
            tenant: row.parsed("tenant")?,
            task: row.parsed("taskId")?,
            run: row.parsed("id")?,
            execution: row.parsed("executionId")?,
            interruptions: row.plain("interruptions")?,
            version: (row.plain("tenant")?, row.plain("plugin")?, row.plain("pluginDigest")?),
        })
    };
    Ok(readable("runs", statement.query_map([], read)?)?)
}

fn close_execution(connection: &Connection, orphan: &Orphan, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE task_executions SET status = 'failed', completedAt = max(?3, startedAt), kind = ?4,
            error = 'the host went away while the execution ran'
        WHERE tenant = ?1 AND id = ?2";
    let kind = FailureKind::Interrupted.as_str();
    let values = params![orphan.tenant.as_str(), orphan.execution.to_string(), now.to_string(), kind];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Returns whether the run ended.
fn settle_run(connection: &Connection, orphan: &Orphan, now: Timestamp) -> Result<bool, StoreError> {
    let (tenant, run) = (orphan.tenant.as_str(), orphan.run.to_string());
    match decide(orphan.interruptions) {
        Recovery::End => {
            let (run, execution) = (orphan.run, orphan.execution);
            dead::note(connection, &orphan.tenant, run, execution, FailureKind::Interrupted, now)?;
            connection.execute(
                "DELETE FROM runs WHERE tenant = ?1 AND id = ?2",
                params![tenant, run.to_string()],
            )?;
            Ok(true)
        }
        Recovery::Ready(interruptions) => {
            let sql = "UPDATE runs SET state = 'queued', executionId = NULL, interruptions = ?3, readyAt = ?4
                WHERE tenant = ?1 AND id = ?2";
            connection.execute(sql, params![tenant, run, interruptions, now.to_string()])?;
            Ok(false)
        }
    }
}
