//! Expectations of tasks, and runs whose failure is to be told. The columns are those of `tasks`; when a task last succeeded is
//! read from the audit trail, so that a success costs nothing.

use std::time::Duration;

use innkeeper_model::alert::Expectation;
use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::{ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::run::{Recovery, recover};
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::EventName;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::event::{self, NewEvent};
use crate::record::Consequences;
use crate::value::Columns as _;
use crate::{Store, StoreError};

/// A task whose expectation is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task: TaskId,
    /// When it was to be looked at.
    pub check_at: Timestamp,
    /// What is known of it.
    pub expectation: Expectation,
}

/// What was decided about an expectation.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task: TaskId,
    /// When it was to be looked at; if that is another instant by now, the decision is void.
    pub was_check_at: Timestamp,
    /// When to look again.
    pub check_at: Timestamp,
    /// Since when it is overdue, as far as that was told.
    pub overdue_since: Option<Timestamp>,
    /// What tells it, if it is told now.
    pub event: Option<NewEvent>,
}

/// A run that will end at the next recovery, because it was interrupted too often, and whose failure is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task: TaskId,
    /// The run.
    pub run: RunId,
    /// The execution that the host left.
    pub execution: ExecutionId,
    /// Its attempt's number.
    pub attempt: u32,
    /// How many events led to the run.
    pub hops: u32,
    /// How it ends.
    pub kind: FailureKind,
    /// The event to publish.
    pub on_failure: EventName,
}

impl Store {
    /// When the next expectation is to be looked at.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn next_expectation(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let sql =
                "SELECT min(expectCheckAt) AS at FROM tasks WHERE expectCheckAt IS NOT NULL AND isPaused = 0";
            Ok(connection.prepare_cached(sql)?.query_row([], |row| row.parsed_option("at"))?)
        })
        .await
    }

    /// Expectations of all tenants that are to be looked at, at most `limit`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn due_expectations(&self, now: Timestamp, limit: u32) -> Result<Vec<Expected>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT tenant, id, expectCheckAt, expectWithin, expectFrom, overdueSince,
                    (SELECT completedAt FROM task_executions x INDEXED BY task_executions_by_task
                        WHERE x.tenant = tasks.tenant AND x.taskId = tasks.id AND x.status = 'success'
                        ORDER BY x.id DESC LIMIT 1) AS lastSuccess
                FROM tasks WHERE expectCheckAt IS NOT NULL AND isPaused = 0 AND expectCheckAt <= ?1
                ORDER BY expectCheckAt LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let due = statement.query_map(params![now.to_string(), limit], read)?;
            Ok(due.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Notes what was decided about expectations and records the events that tell it, all or none. What is void is left out;
    /// the answers are in the order of the decisions.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn record_watches(
        &self,
        watches: Vec<Watched>,
        now: Timestamp,
    ) -> Result<Vec<Option<Consequences>>, StoreError> {
        self.write(move |connection| {
            watches.iter().map(|watched| record_watch(connection, watched, now)).collect()
        })
        .await
    }

    /// Runs that the next recovery will end and whose failure is to be told.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn doomed_runs(&self) -> Result<Vec<Doomed>, StoreError> {
        self.read(doomed).await
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Expected> {
    Ok(Expected {
        tenant: row.parsed("tenant")?,
        task: row.parsed("id")?,
        check_at: row.parsed("expectCheckAt")?,
        expectation: Expectation {
            within: Duration::from_millis(row.plain("expectWithin")?),
            from: row.parsed("expectFrom")?,
            last_success: row.parsed_option("lastSuccess")?,
            told_since: row.parsed_option("overdueSince")?,
        },
    })
}

fn record_watch(
    connection: &Connection,
    watched: &Watched,
    now: Timestamp,
) -> Result<Option<Consequences>, StoreError> {
    let sql = "UPDATE tasks SET expectCheckAt = ?4, overdueSince = ?5
        WHERE tenant = ?1 AND id = ?2 AND expectCheckAt = ?3 AND isPaused = 0";
    let changed = connection.prepare_cached(sql)?.execute(params![
        watched.tenant.as_str(),
        watched.task.as_str(),
        watched.was_check_at.to_string(),
        watched.check_at.to_string(),
        watched.overdue_since.map(|since| since.to_string()),
    ])?;
    if changed == 0 {
        return Ok(None);
    }
    match &watched.event {
        Some(event) => Ok(Some(
            event::record(connection, &watched.tenant, event, &mut Vec::new().into_iter(), now)?.then,
        )),
        None => Ok(Some(Consequences::default())),
    }
}

/// Begins the expectation of a task anew at `now`, if it has one.
pub(crate) fn expect_from(
    connection: &Connection,
    tenant: &TenantId,
    task: &TaskId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "SELECT expectWithin FROM tasks WHERE tenant = ?1 AND id = ?2";
    let key = [tenant.as_str(), task.as_str()];
    let within: Option<Option<u64>> =
        connection.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
    let check_at = within.flatten().map(|within| now.saturating_add(Duration::from_millis(within)));
    let from = check_at.map(|_| now);
    let [from, check_at] = [from, check_at].map(|at| at.map(|at| at.to_string()));
    let sql = "UPDATE tasks SET expectFrom = ?3, expectCheckAt = ?4, overdueSince = NULL
        WHERE tenant = ?1 AND id = ?2 AND (expectWithin IS NOT NULL OR expectCheckAt IS NOT NULL)";
    connection.prepare_cached(sql)?.execute(params![tenant.as_str(), task.as_str(), from, check_at])?;
    Ok(())
}

fn doomed(connection: &Connection) -> Result<Vec<Doomed>, StoreError> {
    let sql =
        "SELECT r.tenant, r.taskId, r.id, r.executionId, r.attempt, r.hops, r.interruptions, t.onFailure
        FROM runs r JOIN tasks t ON t.tenant = r.tenant AND t.id = r.taskId
        WHERE r.firstStartedAt IS NOT NULL AND r.state = 'running' AND t.onFailure IS NOT NULL";
    let mut statement = connection.prepare(sql)?;
    let read = |row: &Row<'_>| {
        let doomed = Doomed {
            tenant: row.parsed("tenant")?,
            task: row.parsed("taskId")?,
            run: row.parsed("id")?,
            execution: row.parsed("executionId")?,
            attempt: row.plain("attempt")?,
            hops: row.plain("hops")?,
            kind: FailureKind::Interrupted,
            on_failure: row.parsed("onFailure")?,
        };
        Ok((doomed, row.plain("interruptions")?))
    };
    let running: Vec<(Doomed, u32)> = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    let ends = |(doomed, interruptions)| (recover(interruptions) == Recovery::End).then_some(doomed);
    Ok(running.into_iter().filter_map(ends).collect())
}
