//! Due times: which tasks are due, and what is recorded of it.

use std::vec;

use innkeeper_model::id::{ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::run::TriggerKind;
use innkeeper_model::task::{Misfire, Trigger};
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::record::Consequences;
use crate::run::{Claimed, claim_at_once, show_running};
use crate::skip::{self, Skip};
use crate::target::{Origin, Target};
use crate::value::{Columns as _, readable};
use crate::{Store, StoreError, overlap, task};

/// A task whose due time has come.
#[derive(Debug, Clone, PartialEq)]
pub struct DueTask {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub id: TaskId,
    /// Its trigger.
    pub trigger: Trigger,
    /// Its time zone.
    pub timezone: String,
    /// What it wants done about due times that were missed.
    pub misfire: Misfire,
    /// The due time that has come: every one before it is decided.
    pub due_at: Timestamp,
    /// Which state of its definition this is.
    pub revision: u64,
}

/// What becomes of the due times of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct DueDecision {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The due time the decision began with; if the task's is another by now, the decision is void.
    pub due_at: Timestamp,
    /// The state of the definition that was decided upon; if the task has another by now, the decision is void.
    pub revision: u64,
    /// Due times that become runs, oldest first, each with the run's id.
    pub fire: Vec<(Timestamp, RunId)>,
    /// Due times that do not.
    pub skips: Vec<Skip>,
    /// The last due time decided.
    pub cursor: Timestamp,
    /// The next one.
    pub next_run_at: Option<Timestamp>,
}

impl Store {
    /// Tasks of all tenants that are due at `now`, the longest due first. A row that cannot be read is logged and left
    /// out.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn due_tasks(&self, now: Timestamp, limit: u32) -> Result<Vec<DueTask>, StoreError> {
        self.read(move |connection| due_tasks(connection, now, limit)).await
    }

    /// The earliest due time of all tasks after `now`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT min(nextRunAt) AS due FROM tasks
                WHERE nextRunAt IS NOT NULL AND isPaused = 0 AND nextRunAt > ?1";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([now.to_string()], |row| row.parsed_option("due"))?)
        })
        .await
    }

    /// Makes runs of due times and moves each task on to its next one, all in one transaction. As many of the runs as
    /// there are `executions` are claimed at once.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn record_due(
        &self,
        decisions: Vec<DueDecision>,
        executions: Vec<ExecutionId>,
        now: Timestamp,
    ) -> Result<Consequences, StoreError> {
        self.write_urgently(decisions.len(), move |connection| {
            let mut consequences = Consequences::default();
            let mut executions = executions.into_iter();
            for decision in &decisions {
                record_decision(connection, decision, &mut executions, now, &mut consequences)?;
            }
            let shown = consequences.started.len();
            claim_at_once(connection, &mut consequences, &mut executions, now)?;
            show_running(connection, consequences.started[shown..].iter())?;
            Ok(consequences)
        })
        .await
    }
}

fn due_tasks(connection: &Connection, now: Timestamp, limit: u32) -> Result<Vec<DueTask>, StoreError> {
    let sql = "SELECT tenant, id, preset, cron, at, after, onEvent, timezone, misfire, nextRunAt, revision
        FROM tasks
        WHERE nextRunAt IS NOT NULL AND nextRunAt <= ?1 AND isPaused = 0 ORDER BY nextRunAt LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let due = statement.query_map(params![now.to_string(), limit], read_due)?;
    Ok(readable("tasks", due)?)
}

fn read_due(row: &Row<'_>) -> rusqlite::Result<DueTask> {
    Ok(DueTask {
        tenant: row.parsed("tenant")?,
        id: row.parsed("id")?,
        trigger: task::read_trigger(row)?,
        timezone: row.plain("timezone")?,
        misfire: row.parsed("misfire")?,
        due_at: row.parsed("nextRunAt")?,
        revision: row.plain("revision")?,
    })
}

fn record_decision(
    connection: &Connection,
    decision: &DueDecision,
    executions: &mut vec::IntoIter<ExecutionId>,
    now: Timestamp,
    then: &mut Consequences,
) -> Result<(), StoreError> {
    let (tenant, task_id) = (&decision.tenant, &decision.task_id);
    let Some(mut target) = Target::find(connection, tenant, task_id)? else { return Ok(()) };
    let is_void =
        target.revision != decision.revision || target.next_run_at != Some(decision.due_at.to_string());
    if target.is_paused || is_void {
        return Ok(());
    }
    for skip in &decision.skips {
        skip::note(connection, tenant, task_id, skip)?;
    }
    let mut started = None;
    for (scheduled_at, run_id) in &decision.fire {
        if !overlap::make_room(connection, &target, *scheduled_at, then)? {
            continue;
        }
        let origin = Origin { scheduled_at: Some(*scheduled_at), ..Origin::new(TriggerKind::Schedule) };
        let execution = if target.starts_freely() { executions.next() } else { None };
        match execution {
            Some(execution) => {
                started = target.start_run(connection, (*run_id, execution), &origin, now)?;
                then.started.extend(started.clone());
            }
            None => then.queued.extend(target.insert_run(connection, *run_id, &origin, now)?),
        }
    }
    move_on(connection, decision, started.as_ref())
}

/// Moves a task on to its next due time, and shows that it runs if it does.
fn move_on(
    connection: &Connection,
    decision: &DueDecision,
    started: Option<&Claimed>,
) -> Result<(), StoreError> {
    let (tenant, task_id) = (decision.tenant.as_str(), decision.task_id.as_str());
    let (next, cursor) = (decision.next_run_at.map(|at| at.to_string()), decision.cursor.to_string());
    let Some(claimed) = started else {
        let sql = "UPDATE tasks SET nextRunAt = ?3, cursor = ?4 WHERE tenant = ?1 AND id = ?2";
        connection.prepare_cached(sql)?.execute(params![tenant, task_id, next, cursor])?;
        return Ok(());
    };
    let sql =
        "UPDATE tasks SET nextRunAt = ?3, cursor = ?4, status = 'running', lastRunAt = ?5, attempts = ?6
        WHERE tenant = ?1 AND id = ?2";
    let values = params![tenant, task_id, next, cursor, claimed.started_at.to_string(), claimed.attempt];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
