//! Recording: a due time or a manual start becomes a run.

use innkeeper_model::id::{ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::run::TriggerKind;
use innkeeper_model::task::{Misfire, Overlap, Trigger};
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::TopicPattern;
use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use crate::queued::QueuedRun;
use crate::run::{Claimed, claim_at_once};
use crate::skip::{self, Skip};
use crate::value::Columns as _;
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
    /// Due times that become runs, oldest first, each with the run's id.
    pub fire: Vec<(Timestamp, RunId)>,
    /// Due times that do not.
    pub skips: Vec<Skip>,
    /// The last due time decided.
    pub cursor: Timestamp,
    /// The next one.
    pub next_run_at: Option<Timestamp>,
}

/// What follows from a recording or a settlement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Consequences {
    /// Runs that now wait.
    pub queued: Vec<QueuedRun>,
    /// Runs that were claimed in the same transaction; their executions may start.
    pub started: Vec<Claimed>,
    /// Tasks of which a run has ended without an execution: another may be able to start.
    pub reopened: Vec<(TenantId, TaskId)>,
    /// Executions to be cancelled, because a newer run of their task takes their place.
    pub cancelled: Vec<ExecutionId>,
}

/// A manual start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualRun {
    /// The task.
    pub task_id: TaskId,
    /// The run's id.
    pub run_id: RunId,
    /// The event name to hand over.
    pub event: Option<String>,
    /// The data to hand over, as JSON text.
    pub data: Option<String>,
}

impl Store {
    /// Tasks of all tenants that are due at `now`, the longest due first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn due_tasks(&self, now: Timestamp, limit: u32) -> Result<Vec<DueTask>, StoreError> {
        self.read(move |connection| due_tasks(connection, now, limit)).await
    }

    /// The earliest due time of all tasks.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT min(nextRunAt) AS due FROM tasks WHERE nextRunAt IS NOT NULL AND isPaused = 0";
            Ok(connection.prepare_cached(sql)?.query_row([], |row| row.parsed_option("due"))?)
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
        self.write_urgently(move |connection| {
            let mut consequences = Consequences::default();
            for decision in &decisions {
                record_decision(connection, decision, now, &mut consequences)?;
            }
            claim_at_once(connection, &mut consequences, executions, now)?;
            Ok(consequences)
        })
        .await
    }

    /// Makes a run of a manual start. `None` if the task does not exist.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn record_manual(
        &self,
        tenant: &TenantId,
        manual: ManualRun,
        now: Timestamp,
    ) -> Result<Option<QueuedRun>, StoreError> {
        let tenant = tenant.clone();
        self.write_urgently(move |connection| {
            let origin =
                Origin { event: manual.event, data: manual.data, ..Origin::new(TriggerKind::Manual) };
            insert_run(connection, &tenant, &manual.task_id, manual.run_id, &origin, now)
        })
        .await
    }
}

fn due_tasks(connection: &Connection, now: Timestamp, limit: u32) -> Result<Vec<DueTask>, StoreError> {
    let sql = "SELECT tenant, id, preset, cron, at, after, onEvent, timezone, misfire, nextRunAt FROM tasks
        WHERE nextRunAt IS NOT NULL AND nextRunAt <= ?1 AND isPaused = 0 ORDER BY nextRunAt LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let due = statement.query_map(params![now.to_string(), limit], |row| {
        Ok(DueTask {
            tenant: row.parsed("tenant")?,
            id: row.parsed("id")?,
            trigger: task::read_trigger(row)?,
            timezone: row.plain("timezone")?,
            misfire: row.parsed("misfire")?,
            due_at: row.parsed("nextRunAt")?,
        })
    })?;
    Ok(due.collect::<Result<_, _>>()?)
}

fn record_decision(
    connection: &Connection,
    decision: &DueDecision,
    now: Timestamp,
    consequences: &mut Consequences,
) -> Result<(), StoreError> {
    let (tenant, task_id) = (&decision.tenant, &decision.task_id);
    let sql = "UPDATE tasks SET nextRunAt = ?4, cursor = ?5
        WHERE tenant = ?1 AND id = ?2 AND nextRunAt = ?3 AND isPaused = 0 RETURNING overlap";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![
        tenant.as_str(),
        task_id.as_str(),
        decision.due_at.to_string(),
        decision.next_run_at.map(|at| at.to_string()),
        decision.cursor.to_string(),
    ];
    let moved = statement.query_row(values, |row| row.parsed("overlap")).optional()?;
    let Some(overlap) = moved else { return Ok(()) };
    for skip in &decision.skips {
        skip::note(connection, tenant, task_id, skip)?;
    }
    for (scheduled_at, run_id) in &decision.fire {
        let origin = Origin { scheduled_at: Some(*scheduled_at), ..Origin::new(TriggerKind::Schedule) };
        if overlap::make_room(connection, tenant, task_id, overlap, *scheduled_at, consequences)? {
            consequences.queued.extend(insert_run(connection, tenant, task_id, *run_id, &origin, now)?);
        }
    }
    Ok(())
}

/// Where a run comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) trigger: TriggerKind,
    pub(crate) event_id: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) scheduled_at: Option<Timestamp>,
    pub(crate) hops: u32,
}

impl Origin {
    pub(crate) fn new(trigger: TriggerKind) -> Self {
        Self { trigger, event_id: None, event: None, data: None, scheduled_at: None, hops: 0 }
    }
}

/// Inserts a run of the plugin version that is active, or pinned, now. `None` if the task does not exist, or if a run of
/// the same due time is still in progress: it is that due time's run already.
pub(crate) fn insert_run(
    connection: &Connection,
    tenant: &TenantId,
    task_id: &TaskId,
    run_id: RunId,
    origin: &Origin,
    now: Timestamp,
) -> Result<Option<QueuedRun>, StoreError> {
    let sql =
        "INSERT INTO runs (tenant, id, taskId, state, trigger, eventId, event, data, scheduledAt, recordedAt,
            readyAt, hops, plugin, pluginDigest)
        SELECT t.tenant, :id, t.id, 'queued', :trigger, :eventId, :event, :data, :scheduledAt, :now,
            :now, :hops, t.plugin, coalesce(t.pluginDigest, p.activeDigest)
        FROM tasks t JOIN plugins p ON p.tenant = t.tenant AND p.name = t.plugin
        WHERE t.tenant = :tenant AND t.id = :task
        ON CONFLICT (tenant, taskId, scheduledAt) WHERE trigger = 'schedule' DO NOTHING";
    let inserted = connection.prepare_cached(sql)?.execute(named_params! {
        ":id": run_id.to_string(),
        ":trigger": origin.trigger.as_str(),
        ":eventId": origin.event_id,
        ":event": origin.event,
        ":data": origin.data,
        ":scheduledAt": origin.scheduled_at.map(|at| at.to_string()),
        ":now": now.to_string(),
        ":hops": origin.hops,
        ":tenant": tenant.as_str(),
        ":task": task_id.as_str(),
    })?;
    let (tenant, task_id) = (tenant.clone(), task_id.clone());
    let queued = QueuedRun { tenant, task_id, run_id, ready_at: now, has_started: false };
    Ok((inserted == 1).then_some(queued))
}

/// What of a task decides whether a run of it is recorded.
pub(crate) struct Switches {
    pub(crate) is_paused: bool,
    pub(crate) on_event: Option<TopicPattern>,
    pub(crate) overlap: Overlap,
}

/// The task's switches, or `None` if it does not exist.
pub(crate) fn switches(
    connection: &Connection,
    tenant: &TenantId,
    task: &TaskId,
) -> Result<Option<Switches>, StoreError> {
    let sql = "SELECT isPaused, onEvent, overlap FROM tasks WHERE tenant = ?1 AND id = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([tenant.as_str(), task.as_str()], |row| {
        Ok(Switches {
            is_paused: row.plain("isPaused")?,
            on_event: row.parsed_option("onEvent")?,
            overlap: row.parsed("overlap")?,
        })
    });
    Ok(found.optional()?)
}
