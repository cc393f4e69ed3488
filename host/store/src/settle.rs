//! Settling: the end of an execution, with everything that follows from it, in one transaction.

use innkeeper_model::execution::{ExecutionStatus, FailureKind, LogLine, Receipt};
use innkeeper_model::id::{ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::sandbox::KeyValueWrite;
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, params};

use crate::event::{self, NewEvent};
use crate::queued::QueuedRun;
use crate::record::Consequences;
use crate::value::to_json;
use crate::writer::Transaction;
use crate::{Store, StoreError, dead, key_value};

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The run.
    pub run_id: RunId,
    /// The execution.
    pub execution_id: ExecutionId,
    /// Whether its task runs once and is then cleaned up.
    pub is_one_off: bool,
    /// When it ended.
    pub completed_at: Timestamp,
    /// What came of it.
    pub verdict: Verdict,
    /// What it used.
    pub receipt: Receipt,
    /// What it logged.
    pub logs: Vec<LogLine>,
    /// What tells that the run ended failed, if it does.
    pub alert: Option<NewEvent>,
}

/// What came of an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It succeeded: its effects are applied and its run ends.
    Success {
        /// The handler's result as JSON text.
        output: Option<String>,
        /// Key-value writes.
        writes: Vec<KeyValueWrite>,
        /// Events it published.
        events: Vec<NewEvent>,
        /// What becomes of the run if a write met something else than it relied on.
        on_conflict: RunEnding,
    },
    /// It failed, and leaves nothing.
    Failure {
        /// The failure's name.
        kind: FailureKind,
        /// The failure in words.
        error: String,
        /// What becomes of the run.
        run: RunEnding,
    },
}

/// What becomes of a run whose execution failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnding {
    /// It ends as failed.
    End,
    /// It is tried again, not before this instant.
    Retry(Timestamp),
    /// The shutdown puts it back, without using up an attempt.
    PutBack,
    /// A conflict puts it back, to be attempted again at once without using up an attempt.
    AfterConflict,
}

/// What followed from a settlement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settled {
    /// The retry, and what follows from the events it published.
    pub then: Consequences,
    /// Whether the alert was published: the run has ended failed.
    pub alerted: bool,
    /// Whether the run has ended failed.
    pub run_failed: bool,
    /// Whether the task was a one-off that is done and has been cleaned up.
    pub task_removed: bool,
    /// Why the execution failed although its handler succeeded: a write met something else than it relied on.
    pub conflict: Option<String>,
}

impl Store {
    /// Writes an execution's end, its effects and what becomes of its run, all or nothing.
    ///
    /// # Errors
    /// Those of the store; then the execution is still running, as far as the database knows.
    pub async fn settle(&self, settlement: Settlement) -> Result<Settled, StoreError> {
        self.write(move |transaction| settle(transaction, &settlement)).await
    }
}

fn settle(transaction: &Transaction<'_>, settlement: &Settlement) -> Result<Settled, StoreError> {
    let Some((error, run)) = write_values(transaction, settlement)? else {
        return settle_as_decided(transaction, settlement);
    };
    let verdict = Verdict::Failure { kind: FailureKind::Conflict, error: error.clone(), run };
    let failed = Settlement { verdict, ..settlement.clone() };
    let settled = settle_as_decided(transaction, &failed)?;
    Ok(Settled { conflict: Some(error), ..settled })
}

/// Applies the key-value writes of a success. If there is a conflict nothing of them stays, and it says what follows. They
/// come before everything else, which follows from how this ends.
fn write_values(
    connection: &Connection,
    settlement: &Settlement,
) -> Result<Option<(String, RunEnding)>, StoreError> {
    let Verdict::Success { writes, on_conflict, .. } = &settlement.verdict else { return Ok(None) };
    if writes.is_empty() || !is_running(connection, settlement)? {
        return Ok(None);
    }
    connection.prepare_cached("SAVEPOINT writes")?.execute([])?;
    let conflict = key_value::apply(connection, &settlement.tenant, writes)?;
    if conflict.is_some() {
        connection.prepare_cached("ROLLBACK TO writes")?.execute([])?;
    }
    connection.prepare_cached("RELEASE writes")?.execute([])?;
    Ok(conflict.map(|error| (error, *on_conflict)))
}

/// Whether the execution is still running: it is not if its task was deleted meanwhile.
fn is_running(connection: &Connection, settlement: &Settlement) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM task_executions WHERE tenant = ?1 AND id = ?2 AND status = 'running'";
    let key = (settlement.tenant.as_str(), settlement.execution_id.to_string());
    Ok(connection.prepare_cached(sql)?.exists(key)?)
}

fn settle_as_decided(transaction: &Transaction<'_>, settlement: &Settlement) -> Result<Settled, StoreError> {
    let connection: &Connection = transaction;
    let mut settled = Settled::default();
    let was_running = write_execution(connection, settlement)?;
    write_logs(connection, settlement)?;
    if !was_running {
        return Ok(settled);
    }
    let (tenant, now) = (&settlement.tenant, settlement.completed_at);
    match &settlement.verdict {
        Verdict::Success { events, .. } => {
            for event in events {
                publish(connection, tenant, event, now, &mut settled.then)?;
            }
            end_run(connection, settlement)?;
        }
        Verdict::Failure { run: RunEnding::End, .. } => fail_run(connection, settlement, &mut settled)?,
        Verdict::Failure { run: RunEnding::Retry(_) | RunEnding::AfterConflict, .. }
            if is_superseded(connection, settlement)? =>
        {
            fail_run(connection, settlement, &mut settled)?;
        }
        Verdict::Failure { run: RunEnding::Retry(at), .. } => {
            settled.then.queued.extend(requeue(connection, settlement, *at, "attempt = attempt + 1")?);
        }
        Verdict::Failure { run: RunEnding::PutBack, .. } => {
            settled.then.queued.extend(requeue(connection, settlement, now, "requeues = requeues + 1")?);
        }
        Verdict::Failure { run: RunEnding::AfterConflict, .. } => {
            settled.then.queued.extend(requeue(connection, settlement, now, "conflicts = conflicts + 1")?);
        }
    }
    if settlement.is_one_off {
        settled.task_removed = refresh_task(connection, tenant, &settlement.task_id)?;
    } else {
        transaction.refresh_later(tenant, &settlement.task_id);
    }
    Ok(settled)
}

fn publish(
    connection: &Connection,
    tenant: &TenantId,
    event: &NewEvent,
    now: Timestamp,
    then: &mut Consequences,
) -> Result<(), StoreError> {
    let follows = event::record(connection, tenant, event, &mut Vec::new().into_iter(), now)?.then;
    then.queued.extend(follows.queued);
    then.cancelled.extend(follows.cancelled);
    then.reopened.extend(follows.reopened);
    Ok(())
}

/// Ends the run as failed, so that it can be run again, and tells it.
fn fail_run(
    connection: &Connection,
    settlement: &Settlement,
    settled: &mut Settled,
) -> Result<(), StoreError> {
    if let Verdict::Failure { kind, .. } = &settlement.verdict {
        let Settlement { tenant, run_id, execution_id, completed_at, .. } = settlement;
        dead::note(connection, tenant, *run_id, *execution_id, *kind, *completed_at)?;
    }
    settled.run_failed = true;
    end_run(connection, settlement)?;
    let Some(alert) = &settlement.alert else { return Ok(()) };
    settled.alerted = true;
    publish(connection, &settlement.tenant, alert, settlement.completed_at, &mut settled.then)
}

/// Returns whether the execution was still running. If its task was deleted meanwhile it is closed already, as
/// cancelled: it leaves nothing but its receipt and its log.
fn write_execution(connection: &Connection, settlement: &Settlement) -> Result<bool, StoreError> {
    let (status, output, kind, error) = match &settlement.verdict {
        Verdict::Success { output, .. } => (ExecutionStatus::Success, output.as_deref(), None, None),
        Verdict::Failure { kind, error, .. } => {
            (ExecutionStatus::Failed, None, Some(kind.as_str()), Some(error.as_str()))
        }
    };
    let sql = "UPDATE task_executions SET status = ?3, completedAt = ?4, output = ?5, kind = ?6, error = ?7,
            receipt = ?8 WHERE tenant = ?1 AND id = ?2 AND status = 'running'";
    let (tenant, id) = (settlement.tenant.as_str(), settlement.execution_id.to_string());
    let (now, receipt) = (settlement.completed_at.to_string(), to_json(&settlement.receipt)?);
    let values = params![tenant, id, status.as_str(), now, output, kind, error, receipt];
    let changed = connection.prepare_cached(sql)?.execute(values)?;
    if changed == 1 {
        return Ok(true);
    }
    if add_receipt(connection, tenant, &id, &receipt)? {
        return Ok(false);
    }
    Err(StoreError::BadRow(format!("task_executions: `{id}` is not running")))
}

fn add_receipt(connection: &Connection, tenant: &str, id: &str, receipt: &str) -> Result<bool, StoreError> {
    let sql = "UPDATE task_executions SET receipt = ?3
        WHERE tenant = ?1 AND id = ?2 AND kind = 'cancelled' AND receipt IS NULL";
    Ok(connection.prepare_cached(sql)?.execute([tenant, id, receipt])? == 1)
}

fn write_logs(connection: &Connection, settlement: &Settlement) -> Result<(), StoreError> {
    if settlement.logs.is_empty() {
        return Ok(());
    }
    let sql =
        "INSERT INTO logs (tenant, executionId, line, at, level, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = connection.prepare_cached(sql)?;
    let (tenant, execution) = (settlement.tenant.as_str(), settlement.execution_id.to_string());
    for (line, log) in settlement.logs.iter().enumerate() {
        let at = log.at.to_string();
        statement.execute(params![tenant, execution, line, at, log.level.as_str(), log.message])?;
    }
    Ok(())
}

/// Ends the run. It is gone already if its task was deleted meanwhile.
fn end_run(connection: &Connection, settlement: &Settlement) -> Result<(), StoreError> {
    let sql = "DELETE FROM runs WHERE tenant = ?1 AND id = ?2";
    let key = (settlement.tenant.as_str(), settlement.run_id.to_string());
    connection.prepare_cached(sql)?.execute(key)?;
    Ok(())
}

/// Whether a newer run of a task that cancels its previous ones waits: it came when this execution had just failed, and
/// found nobody to cancel.
fn is_superseded(connection: &Connection, settlement: &Settlement) -> Result<bool, StoreError> {
    let sql =
        "SELECT 1 FROM tasks t JOIN runs r INDEXED BY runs_by_task ON r.tenant = t.tenant AND r.taskId = t.id
        WHERE t.tenant = ?1 AND t.id = ?2 AND t.overlap = 'cancelPrevious'
            AND r.id > ?3 AND r.firstStartedAt IS NULL AND r.trigger <> 'manual'";
    let key = (settlement.tenant.as_str(), settlement.task_id.as_str(), settlement.run_id.to_string());
    Ok(connection.prepare_cached(sql)?.exists(key)?)
}

fn requeue(
    connection: &Connection,
    settlement: &Settlement,
    at: Timestamp,
    counted: &str,
) -> Result<Option<QueuedRun>, StoreError> {
    let sql = format!(
        "UPDATE runs SET state = 'queued', executionId = NULL, readyAt = ?3, {counted} WHERE tenant = ?1 AND id = ?2"
    );
    let values = (settlement.tenant.as_str(), settlement.run_id.to_string(), at.to_string());
    let changed = connection.prepare_cached(&sql)?.execute(values)?;
    Ok((changed == 1).then(|| QueuedRun {
        tenant: settlement.tenant.clone(),
        task_id: settlement.task_id.clone(),
        run_id: settlement.run_id,
        ready_at: at,
        has_started: true,
    }))
}

/// Makes the task's status and attempt count follow from its runs, and cleans it up if it is a one-off whose runs
/// have all ended. Returns whether it was cleaned up.
pub(crate) fn refresh_task(
    connection: &Connection,
    tenant: &TenantId,
    task: &TaskId,
) -> Result<bool, StoreError> {
    show_state(connection, tenant, task)?;
    let sql = "DELETE FROM tasks WHERE tenant = ?1 AND id = ?2
        AND cron IS NULL AND onEvent IS NULL AND cursor IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM runs WHERE tenant = ?1 AND taskId = ?2)";
    Ok(connection.prepare_cached(sql)?.execute([tenant.as_str(), task.as_str()])? == 1)
}

/// Makes the task's status and attempt count follow from its runs.
pub(crate) fn show_state(
    connection: &Connection,
    tenant: &TenantId,
    task: &TaskId,
) -> Result<(), StoreError> {
    let sql = "UPDATE tasks SET
            attempts = CASE WHEN EXISTS (SELECT 1 FROM runs r INDEXED BY runs_started
                WHERE r.tenant = ?1 AND r.taskId = ?2 AND r.firstStartedAt IS NOT NULL) THEN attempts ELSE 0 END,
            status = CASE WHEN EXISTS (SELECT 1 FROM runs r INDEXED BY runs_started
                WHERE r.tenant = ?1 AND r.taskId = ?2 AND r.firstStartedAt IS NOT NULL
                AND r.state = 'running') THEN 'running' WHEN isPaused THEN 'paused' ELSE 'pending' END
        WHERE tenant = ?1 AND id = ?2";
    connection.prepare_cached(sql)?.execute([tenant.as_str(), task.as_str()])?;
    Ok(())
}
