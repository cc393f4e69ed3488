//! The audit trail of all tasks of a tenant, by filters.

use std::time::Duration;

use innkeeper_model::execution::{Execution, ExecutionStatus, FailureKind};
use innkeeper_model::id::{EventId, ExecutionId, PluginName, RunId, TaskId, TenantId};
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params};

use crate::value::Columns as _;
use crate::{Store, StoreError, execution};

/// Rows that one page looks at, at most, whatever the filters let through.
const SCANNED_MAX: u32 = 20_000;

/// How far the time in an execution's id may be from its start: the clock may have gone back.
const ID_SLACK: Duration = Duration::from_hours(1);

/// Which executions to list.
#[derive(Debug, Clone, Default)]
pub struct TrailFilter {
    /// Only those of this task.
    pub task: Option<TaskId>,
    /// Only those of this plugin.
    pub plugin: Option<PluginName>,
    /// Only those with this status.
    pub status: Option<ExecutionStatus>,
    /// Only those of this run.
    pub run: Option<RunId>,
    /// Only those of runs that this event started.
    pub event: Option<EventId>,
    /// Only those that failed in this way.
    pub kind: Option<FailureKind>,
    /// Only those with which a run ended as failed, or only others.
    pub ends_run: Option<bool>,
    /// Only those whose run has been repeated, or only others.
    pub is_replayed: Option<bool>,
    /// Only those that started then or later.
    pub since: Option<Timestamp>,
    /// Only those that started before then.
    pub until: Option<Timestamp>,
    /// Only those that come after this one, on the page before.
    pub before: Option<ExecutionId>,
    /// At most so many.
    pub limit: u32,
}

/// An execution, and what became of its run if that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct TrailEntry {
    /// The execution.
    pub execution: Execution,
    /// Whether its run ended as failed with it.
    pub ends_run: bool,
    /// The run that its run repeats.
    pub replay_of: Option<RunId>,
    /// The run that repeats its run.
    pub replayed_by: Option<RunId>,
}

/// A page of the audit trail, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct TrailPage {
    /// The executions. There may be fewer than asked for, and yet more to come.
    pub entries: Vec<TrailEntry>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<ExecutionId>,
}

impl Store {
    /// Executions of all tasks, the newest first. Those of deleted tasks are among them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn trail(&self, tenant: &TenantId, filter: TrailFilter) -> Result<TrailPage, StoreError> {
        let tenant = tenant.clone();
        self.read(move |connection| page(connection, &tenant, &filter)).await
    }

    /// The execution with this id, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn trail_entry(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<TrailEntry>, StoreError> {
        let (tenant, id) = (tenant.clone(), id.to_string());
        self.read(move |connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM task_executions x {JOINS} WHERE x.tenant = ?1 AND x.id = ?2");
            Ok(connection.prepare_cached(&sql)?.query_row([tenant.as_str(), &id], read).optional()?)
        })
        .await
    }
}

const COLUMNS: &str =
    "x.*, d.executionId IS NOT NULL AS endsRun, d.replayedBy AS replayedBy, o.runId AS replayOf";

const JOINS: &str = "LEFT JOIN dead_runs d ON d.tenant = x.tenant AND d.executionId = x.id
    LEFT JOIN dead_runs o ON o.tenant = x.tenant AND o.replayedBy = x.runId";

/// The page, from what lies between its first row and the last one that it looks at.
fn page(connection: &Connection, tenant: &TenantId, filter: &TrailFilter) -> Result<TrailPage, StoreError> {
    // An execution is younger than its run, which is younger than its event.
    let since = [filter.since, filter.run.map(|run| run.at()), filter.event.map(|event| event.at())];
    let from = match since.into_iter().flatten().max() {
        Some(since) => ExecutionId::new(since.saturating_sub(ID_SLACK), [0; 10]).to_string(),
        None => String::new(),
    };
    let before = [
        filter.before,
        filter.until.map(|until| ExecutionId::new(until.saturating_add(ID_SLACK), [255; 10])),
    ];
    let before = before.into_iter().flatten().min().map_or_else(|| "g".to_owned(), |id| id.to_string());
    // Few runs die, and those that did are found without looking at others.
    let is_narrow = filter.ends_run == Some(true) || filter.is_replayed == Some(true);
    let last = if is_narrow { None } else { last_scanned(connection, tenant, filter, (&from, &before))? };
    let lowest = last.map_or(from, |last| last.to_string());
    let mut entries = select(connection, tenant, filter, is_narrow, (&lowest, &before))?;
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let is_more = entries.len() > limit;
    entries.truncate(limit);
    let next = if is_more { entries.last().map(|entry| entry.execution.id) } else { last };
    Ok(TrailPage { entries, next })
}

/// The last row that a page looks at; `None` if that is the last there is.
fn last_scanned(
    connection: &Connection,
    tenant: &TenantId,
    filter: &TrailFilter,
    (from, before): (&str, &str),
) -> Result<Option<ExecutionId>, StoreError> {
    let (of_task, index) = source(filter);
    let sql = format!(
        "SELECT x.id FROM task_executions x {index} WHERE x.tenant = :tenant AND {of_task}
            AND x.id >= :from AND x.id < :before ORDER BY x.id DESC LIMIT 1 OFFSET :offset"
    );
    let task = filter.task.as_ref().map(TaskId::as_str);
    let values = named_params! {
        ":tenant": tenant.as_str(), ":task": task, ":from": from, ":before": before, ":offset": SCANNED_MAX,
    };
    Ok(connection.prepare_cached(&sql)?.query_row(values, |row| row.parsed("id")).optional()?)
}

/// The condition on the task, and the index that goes with it.
fn source(filter: &TrailFilter) -> (&'static str, &'static str) {
    match filter.task {
        Some(_) => ("x.taskId = :task", "INDEXED BY task_executions_by_task"),
        None => (":task IS NULL", ""),
    }
}

fn select(
    connection: &Connection,
    tenant: &TenantId,
    filter: &TrailFilter,
    is_narrow: bool,
    (lowest, before): (&str, &str),
) -> Result<Vec<TrailEntry>, StoreError> {
    let (of_task, index) = source(filter);
    let (tables, place) = if is_narrow {
        let tables =
            "dead_runs d CROSS JOIN task_executions x ON x.tenant = d.tenant AND x.id = d.executionId
            LEFT JOIN dead_runs o ON o.tenant = x.tenant AND o.replayedBy = x.runId";
        let of_task = if filter.task.is_some() { "d.taskId = :task" } else { of_task };
        (
            tables.to_owned(),
            format!(
                "d.tenant = :tenant AND {of_task} AND d.executionId >= :lowest AND d.executionId < :before"
            ),
        )
    } else {
        let place = format!("x.tenant = :tenant AND {of_task} AND x.id >= :lowest AND x.id < :before");
        (format!("task_executions x {index} {JOINS}"), place)
    };
    let order = if is_narrow { "d.executionId" } else { "x.id" };
    let sql = format!(
        "SELECT {COLUMNS} FROM {tables} WHERE {place}
            AND (:status IS NULL OR x.status = :status) AND (:plugin IS NULL OR x.plugin = :plugin)
            AND (:kind IS NULL OR x.kind = :kind)
            AND (:run IS NULL OR x.runId = :run) AND (:event IS NULL OR x.eventId = :event)
            AND (:endsRun IS NULL OR (d.executionId IS NOT NULL) = :endsRun)
            AND (:isReplayed IS NULL OR (d.replayedBy IS NOT NULL) = :isReplayed)
            AND (:since IS NULL OR x.startedAt >= :since) AND (:until IS NULL OR x.startedAt < :until)
        ORDER BY {order} DESC LIMIT :limit"
    );
    let (since, until) = (filter.since.map(|at| at.to_string()), filter.until.map(|at| at.to_string()));
    let values: &[(&str, &dyn ToSql)] = named_params! {
        ":tenant": tenant.as_str(),
        ":task": filter.task.as_ref().map(TaskId::as_str),
        ":lowest": lowest,
        ":before": before,
        ":status": filter.status.map(ExecutionStatus::as_str),
        ":plugin": filter.plugin.as_ref().map(PluginName::as_str),
        ":kind": filter.kind.map(FailureKind::as_str),
        ":run": filter.run.map(|run| run.to_string()),
        ":event": filter.event.map(|event| event.to_string()),
        ":endsRun": filter.ends_run,
        ":isReplayed": filter.is_replayed,
        ":since": since,
        ":until": until,
        ":limit": filter.limit.saturating_add(1),
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let entries = statement.query_map(values, read)?;
    Ok(entries.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<TrailEntry> {
    Ok(TrailEntry {
        execution: execution::read(row)?,
        ends_run: row.plain("endsRun")?,
        replay_of: row.parsed_option("replayOf")?,
        replayed_by: row.parsed_option("replayedBy")?,
    })
}
