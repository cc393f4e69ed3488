//! The table `run_keys`: manual starts that name themselves, so that a repeated one does not start twice.

use std::time::Duration;

use innkeeper_model::id::{RunId, TaskId, TenantId};
use innkeeper_model::run::TriggerKind;
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::queued::QueuedRun;
use crate::record::ManualRun;
use crate::target::{Origin, Target};
use crate::value::Columns as _;
use crate::{Store, StoreError};

/// How long a key is known.
pub const RUN_KEY_KEPT: Duration = Duration::from_hours(7 * 24);

/// Keys that are forgotten with each new one at most: more than one, so that their number falls.
const FORGOTTEN_MAX: u32 = 16;

/// What became of a manual start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManualStart {
    /// A new run waits.
    Recorded(QueuedRun),
    /// A start with the same key made this run before.
    Repeated(RunId),
}

impl Store {
    /// Makes a run of a manual start, unless one with the same key has been made. `None` if the task does not exist.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn record_manual_once(
        &self,
        tenant: &TenantId,
        manual: ManualRun,
        key: String,
        now: Timestamp,
    ) -> Result<Option<ManualStart>, StoreError> {
        let tenant = tenant.clone();
        self.write_urgently(1, move |connection| {
            if let Some(run) = find(connection, &tenant, (&manual.task_id, &key), now)? {
                return Ok(Some(ManualStart::Repeated(run)));
            }
            let task = manual.task_id;
            let Some(mut target) = Target::find(connection, &tenant, &task)? else { return Ok(None) };
            let origin = Origin {
                event: manual.event,
                data: manual.data,
                trace: manual.trace,
                ..Origin::new(TriggerKind::Manual)
            };
            let queued = target.insert_run(connection, manual.run_id, &origin, now)?;
            keep(connection, &tenant, (&task, &key), manual.run_id, now)?;
            Ok(queued.map(ManualStart::Recorded))
        })
        .await
    }
}

fn find(
    connection: &Connection,
    tenant: &TenantId,
    (task, key): (&TaskId, &str),
    now: Timestamp,
) -> Result<Option<RunId>, StoreError> {
    let sql =
        "SELECT runId FROM run_keys WHERE tenant = ?1 AND taskId = ?2 AND key = ?3 AND recordedAt >= ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let values = [tenant.as_str(), task.as_str(), key, &oldest(now)];
    Ok(statement.query_row(values, |row| row.parsed("runId")).optional()?)
}

/// When a key was recorded at the earliest that is still known.
fn oldest(now: Timestamp) -> String {
    now.saturating_sub(RUN_KEY_KEPT).to_string()
}

/// Keeps a key, and forgets some that are too old.
fn keep(
    connection: &Connection,
    tenant: &TenantId,
    (task, key): (&TaskId, &str),
    run: RunId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM run_keys WHERE (tenant, taskId, key) IN (SELECT tenant, taskId, key FROM run_keys
        WHERE tenant = ?1 AND recordedAt < ?2 ORDER BY recordedAt LIMIT ?3)";
    connection.prepare_cached(sql)?.execute(params![tenant.as_str(), oldest(now), FORGOTTEN_MAX])?;
    let sql = "INSERT INTO run_keys (tenant, taskId, key, runId, recordedAt) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO UPDATE SET runId = ?4, recordedAt = ?5";
    let values = params![tenant.as_str(), task.as_str(), key, run.to_string(), now.to_string()];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
