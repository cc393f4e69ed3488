//! The table `dead_runs`: runs that ended as failed, and running them again.

use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::{ExecutionId, PluginName, RunId, TaskId, TenantId};
use innkeeper_model::run::TriggerKind;
use innkeeper_model::time::Timestamp;
use innkeeper_model::trace::TraceContext;
use rusqlite::{Connection, OptionalExtension as _, Row, Statement, ToSql, named_params, params};

use crate::queued::QueuedRun;
use crate::target::{Origin, Target};
use crate::value::Columns as _;
use crate::{Store, StoreError};

/// What came of a wish to run a dead run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// A new run waits; it repeats the run with this id, and keeps so many bytes.
    Recorded(QueuedRun, RunId, u64),
    /// There is no such execution.
    NoExecution,
    /// The execution has not failed, or its run goes on.
    NotDead,
    /// This run repeats it already.
    Replayed(RunId),
    /// Its task is gone.
    TaskGone,
    /// The event that made it is gone, and with it its data.
    EventGone,
}

/// Which dead runs are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadFilter {
    /// Only those of this task.
    pub task: Option<TaskId>,
    /// Only those of this plugin.
    pub plugin: Option<PluginName>,
    /// Only those that ended with this failure; `None` means any but `cancelled`, which somebody wanted.
    pub kind: Option<FailureKind>,
    /// Only those that ended then or later.
    pub since: Option<Timestamp>,
    /// Only those that ended before then.
    pub until: Option<Timestamp>,
}

/// What came of running dead runs again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redriven {
    /// The new runs.
    pub queued: Vec<QueuedRun>,
    /// The last dead run that was looked at; `None` if there was none left.
    pub last: Option<ExecutionId>,
    /// Bytes that the new runs keep: events and data of their own.
    pub bytes: u64,
    /// How many could not be repeated: the event that made them is gone.
    pub events_gone: u32,
}

impl Store {
    /// Records a new run with what the dead run of this execution was given. `trace` is what led to the wish.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn replay(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        run_id: RunId,
        trace: Option<TraceContext>,
        now: Timestamp,
    ) -> Result<Replay, StoreError> {
        let tenant = tenant.clone();
        self.write_urgently(1, move |connection| {
            let Some(dead) = find(connection, &tenant, id)? else {
                let sql = "SELECT 1 FROM task_executions WHERE tenant = ?1 AND id = ?2";
                let exists = connection.prepare_cached(sql)?.exists((tenant.as_str(), id.to_string()))?;
                return Ok(if exists { Replay::NotDead } else { Replay::NoExecution });
            };
            match dead.replayed_by {
                Some(run) => Ok(Replay::Replayed(run)),
                None => again(connection, &tenant, &dead, run_id, trace.as_ref(), now),
            }
        })
        .await
    }

    /// How many dead runs there are whose task is there and that nobody has repeated, counted up to `count_max`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn count_dead(
        &self,
        tenant: &TenantId,
        filter: DeadFilter,
        count_max: u32,
    ) -> Result<u32, StoreError> {
        let tenant = tenant.clone();
        self.read(move |connection| count(connection, &tenant, &filter, count_max)).await
    }

    /// Runs dead runs again, those that started first to begin with: as many as there are ids for new runs, of those
    /// after `after`, in one transaction. `trace` is what led to the wish.
    ///
    /// # Errors
    /// Those of the store; then none is run again.
    pub async fn redrive(
        &self,
        tenant: &TenantId,
        filter: DeadFilter,
        after: Option<ExecutionId>,
        runs: Vec<RunId>,
        trace: Option<TraceContext>,
        now: Timestamp,
    ) -> Result<Redriven, StoreError> {
        let tenant = tenant.clone();
        self.write(move |connection| {
            let limit = u32::try_from(runs.len()).unwrap_or(u32::MAX);
            let mut redriven = Redriven::default();
            for (dead, run_id) in chosen(connection, &tenant, &filter, after, limit)?.iter().zip(runs) {
                redriven.last = Some(dead.execution);
                match again(connection, &tenant, dead, run_id, trace.as_ref(), now)? {
                    Replay::Recorded(queued, _, bytes) => {
                        redriven.queued.push(queued);
                        redriven.bytes = redriven.bytes.saturating_add(bytes);
                    }
                    Replay::EventGone => redriven.events_gone += 1,
                    _ => {}
                }
            }
            Ok(redriven)
        })
        .await
    }
}

/// Notes that a run is about to end as failed with this execution. It must still be there; if its task was deleted
/// meanwhile it is not, and nothing is noted.
pub(crate) fn note(
    connection: &Connection,
    tenant: &TenantId,
    run: RunId,
    execution: ExecutionId,
    kind: FailureKind,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO dead_runs (tenant, executionId, runId, taskId, plugin, kind, endedAt, hops, scheduledAt,
            eventId, event, data)
        SELECT tenant, ?3, id, taskId, plugin, ?4, ?5, hops, scheduledAt, eventId, event, data
        FROM runs WHERE tenant = ?1 AND id = ?2";
    let values =
        params![tenant.as_str(), run.to_string(), execution.to_string(), kind.as_str(), now.to_string()];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// A dead run, and what it was given.
struct Dead {
    execution: ExecutionId,
    run: RunId,
    task: TaskId,
    hops: u32,
    scheduled_at: Option<Timestamp>,
    event: Option<String>,
    data: Option<String>,
    event_is_gone: bool,
    replayed_by: Option<RunId>,
}

const SELECT: &str = "SELECT d.executionId, d.runId, d.taskId, d.hops, d.scheduledAt,
        coalesce(e.event, d.event) AS event, coalesce(e.data, d.data) AS data,
        d.eventId IS NOT NULL AND e.id IS NULL AS eventIsGone, d.replayedBy
    FROM dead_runs d LEFT JOIN events e ON e.tenant = d.tenant AND e.id = d.eventId
    WHERE d.tenant = :tenant";

fn read(row: &Row<'_>) -> rusqlite::Result<Dead> {
    Ok(Dead {
        execution: row.parsed("executionId")?,
        run: row.parsed("runId")?,
        task: row.parsed("taskId")?,
        hops: row.plain("hops")?,
        scheduled_at: row.parsed_option("scheduledAt")?,
        event: row.plain("event")?,
        data: row.plain("data")?,
        event_is_gone: row.plain("eventIsGone")?,
        replayed_by: row.parsed_option("replayedBy")?,
    })
}

fn find(connection: &Connection, tenant: &TenantId, id: ExecutionId) -> Result<Option<Dead>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} AND d.executionId = :id"))?;
    let key = named_params! { ":tenant": tenant.as_str(), ":id": id.to_string() };
    Ok(statement.query_row(key, read).optional()?)
}

/// Those that can be run again, the oldest first.
fn chosen(
    connection: &Connection,
    tenant: &TenantId,
    filter: &DeadFilter,
    after: Option<ExecutionId>,
    limit: u32,
) -> Result<Vec<Dead>, StoreError> {
    let sql = format!("{SELECT} {CHOSEN} ORDER BY d.executionId LIMIT :limit");
    let mut statement = connection.prepare_cached(&sql)?;
    let after = after.map_or_else(String::new, |id| id.to_string());
    bind(&mut statement, tenant, filter, (&after, limit))?;
    let mut rows = statement.raw_query();
    let mut dead = Vec::new();
    while let Some(row) = rows.next()? {
        dead.push(read(row)?);
    }
    Ok(dead)
}

/// How many can be run again, counted up to `limit`; what they were given is not read.
fn count(
    connection: &Connection,
    tenant: &TenantId,
    filter: &DeadFilter,
    limit: u32,
) -> Result<u32, StoreError> {
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM dead_runs d WHERE d.tenant = :tenant {CHOSEN} LIMIT :limit)"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    bind(&mut statement, tenant, filter, ("", limit))?;
    let mut rows = statement.raw_query();
    let row =
        rows.next()?.ok_or_else(|| StoreError::BadRow("dead_runs: they cannot be counted".to_owned()))?;
    Ok(row.get(0)?)
}

const CHOSEN: &str = "AND d.replayedBy IS NULL AND d.executionId > :after
    AND (:task IS NULL OR d.taskId = :task) AND (:plugin IS NULL OR d.plugin = :plugin)
    AND CASE WHEN :kind IS NULL THEN d.kind <> 'cancelled' ELSE d.kind = :kind END
    AND (:since IS NULL OR d.endedAt >= :since) AND (:until IS NULL OR d.endedAt < :until)
    AND EXISTS (SELECT 1 FROM tasks t WHERE t.tenant = d.tenant AND t.id = d.taskId)";

/// Gives the parameters of a statement over those that are [`CHOSEN`].
fn bind(
    statement: &mut Statement<'_>,
    tenant: &TenantId,
    filter: &DeadFilter,
    (after, limit): (&str, u32),
) -> Result<(), StoreError> {
    let values: &[(&str, &dyn ToSql)] = named_params! {
        ":tenant": tenant.as_str(),
        ":after": after,
        ":task": filter.task.as_ref().map(TaskId::as_str),
        ":plugin": filter.plugin.as_ref().map(PluginName::as_str),
        ":kind": filter.kind.map(FailureKind::as_str),
        ":since": filter.since.map(|at| at.to_string()),
        ":until": filter.until.map(|at| at.to_string()),
        ":limit": limit,
    };
    for (name, value) in values {
        if let Some(index) = statement.parameter_index(name)? {
            statement.raw_bind_parameter(index, value)?;
        }
    }
    Ok(())
}

/// Records a manual run of the same task with the same event, data and due time.
fn again(
    connection: &Connection,
    tenant: &TenantId,
    dead: &Dead,
    run_id: RunId,
    trace: Option<&TraceContext>,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    if dead.event_is_gone {
        return Ok(Replay::EventGone);
    }
    let Some(mut target) = Target::find(connection, tenant, &dead.task)? else { return Ok(Replay::TaskGone) };
    let origin = Origin {
        event: dead.event.clone(),
        data: dead.data.clone(),
        scheduled_at: dead.scheduled_at,
        hops: dead.hops,
        trace: trace.cloned(),
        ..Origin::new(TriggerKind::Manual)
    };
    let Some(queued) = target.insert_run(connection, run_id, &origin, now)? else {
        return Ok(Replay::TaskGone);
    };
    let sql = "UPDATE dead_runs SET replayedBy = ?3 WHERE tenant = ?1 AND executionId = ?2";
    let values = (tenant.as_str(), dead.execution.to_string(), run_id.to_string());
    connection.prepare_cached(sql)?.execute(values)?;
    let bytes =
        [&dead.event, &dead.data].map(|text| text.as_ref().map_or(0, String::len)).iter().sum::<usize>();
    Ok(Replay::Recorded(queued, dead.run, u64::try_from(bytes).unwrap_or(u64::MAX)))
}
