//! The table `runs`: claiming what is queued.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::vec;

use innkeeper_model::id::{Digest, ExecutionId, PluginName, RunId, TaskId, TenantId};
use innkeeper_model::limits::LimitWishes;
use innkeeper_model::rate::RateState;
use innkeeper_model::retry::RetryPolicy;
use innkeeper_model::run::TriggerKind;
use innkeeper_model::task::{Overlap, RateLimit};
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::EventName;
use innkeeper_model::trace::TraceContext;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::rate::Pass;
use crate::record::Consequences;
use crate::value::Columns as _;
use crate::{Store, StoreError, overlap, rate, suspect};

/// A run to be claimed, and the id of the execution that it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Whose it is.
    pub tenant: TenantId,
    /// The run.
    pub run_id: RunId,
    /// The id of its execution.
    pub execution_id: ExecutionId,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// The execution is recorded and may start.
    Started(Box<Claimed>),
    /// The task is paused; the run stays queued.
    Paused,
    /// The task's rate limit holds it until this instant; the run stays queued.
    Held(Timestamp),
    /// Its time has not come yet; the run stays queued.
    Early(Timestamp),
    /// Runs of the task that are in progress must end first; the run stays queued.
    Blocked,
    /// Its plugin has as many executions as it may have at once; the run stays queued.
    PluginBusy(PluginName),
    /// Its plugin version is quarantined, or blamed for a crash of the host while another such one runs; the run stays
    /// queued.
    Suspected,
    /// The task's rate limit is reached, and the run has been dropped for it.
    Dropped,
    /// The run is no longer there, or not queued.
    Gone,
}

impl Claim {
    fn started(&self) -> Option<&Claimed> {
        match self {
            Self::Started(claimed) => Some(claimed),
            _ => None,
        }
    }
}

/// Everything an execution needs to know of its run and task.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The run.
    pub run_id: RunId,
    /// The execution.
    pub execution_id: ExecutionId,
    /// What made the run.
    pub trigger: TriggerKind,
    /// The event's name.
    pub event: Option<String>,
    /// The event's data as JSON text.
    pub data: Option<String>,
    /// The due time.
    pub scheduled_at: Option<Timestamp>,
    /// When the run could start at the earliest: when it was recorded, or when its retry or its rate limit let it.
    pub ready_at: Timestamp,
    /// This attempt's number, from 1.
    pub attempt: u32,
    /// When the execution was recorded.
    pub started_at: Timestamp,
    /// When the run's first execution was.
    pub first_started_at: Timestamp,
    /// Whether an execution of the run has started before.
    pub has_started: bool,
    /// How often a shutdown has put the run back.
    pub requeues: u32,
    /// How often the run was attempted again because of a conflict, without using up an attempt.
    pub conflicts: u32,
    /// How many events led to the run.
    pub hops: u32,
    /// The plugin.
    pub plugin: PluginName,
    /// The version.
    pub digest: Digest,
    /// The task's metadata as JSON text.
    pub metadata: Option<Arc<str>>,
    /// The task's retry policy.
    pub retry: RetryPolicy,
    /// The task's limits.
    pub limits: LimitWishes,
    /// Whether the task runs once and is then cleaned up.
    pub is_one_off: bool,
    /// The event to publish if the run ends failed.
    pub on_failure: Option<EventName>,
    /// What led to the run; `None` if its trace begins with it.
    pub trace: Option<TraceContext>,
    /// The run that this one repeats.
    pub replay_of: Option<RunId>,
    /// How many more executions the task's rate limit lets start now; `None` if it has none.
    pub rate_left: Option<u32>,
}

impl Store {
    /// Claims runs in one transaction: each gets an execution, which is durable when this returns.
    ///
    /// # Errors
    /// Those of the store; then nothing is claimed.
    pub async fn claim(&self, requests: Vec<ClaimRequest>, now: Timestamp) -> Result<Vec<Claim>, StoreError> {
        self.write_urgently(requests.len(), move |connection| {
            let claims: Vec<Claim> = requests
                .iter()
                .map(|request| claim(connection, request, now))
                .collect::<Result<_, StoreError>>()?;
            show_running(connection, claims.iter().filter_map(Claim::started))?;
            Ok(claims)
        })
        .await
    }
}

/// Claims the first runs that were just recorded and wait, as many as there are `executions`. What is refused a start
/// waits on. The tasks do not show it yet.
pub(crate) fn claim_at_once(
    connection: &Connection,
    then: &mut Consequences,
    executions: &mut vec::IntoIter<ExecutionId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut claims = Vec::with_capacity(executions.len());
    let mut waiting = Vec::new();
    for mut run in std::mem::take(&mut then.queued) {
        let Some(execution_id) = executions.next() else {
            waiting.push(run);
            continue;
        };
        let request = ClaimRequest { tenant: run.tenant.clone(), run_id: run.run_id, execution_id };
        match claim(connection, &request, now)? {
            started @ Claim::Started(_) => claims.push(started),
            Claim::Gone | Claim::Dropped => {}
            Claim::Held(until) | Claim::Early(until) => {
                run.ready_at = until;
                waiting.push(run);
            }
            Claim::Paused | Claim::Blocked | Claim::PluginBusy(_) | Claim::Suspected => waiting.push(run),
        }
    }
    then.queued = waiting;
    then.started.extend(claims.into_iter().filter_map(|claim| match claim {
        Claim::Started(claimed) => Some(*claimed),
        _ => None,
    }));
    Ok(())
}

fn claim(connection: &Connection, request: &ClaimRequest, now: Timestamp) -> Result<Claim, StoreError> {
    // Read by place: this is the hottest query there is.
    let sql = "SELECT r.readyAt, t.isPaused, t.overlap, t.concurrency, t.rateLimit, t.rateCount, t.rateWindow,
            r.eventId, r.taskId, r.trigger, coalesce(e.event, r.event), coalesce(e.data, r.data), r.scheduledAt,
            r.attempt, r.firstStartedAt, r.requeues, r.hops, r.plugin, r.pluginDigest, t.metadata, t.retryPolicy,
            t.limits, t.cron IS NULL AND t.onEvent IS NULL, r.conflicts, EXISTS (SELECT 1 FROM suspects), t.onFailure,
            (SELECT p.concurrency FROM plugins p WHERE p.tenant = r.tenant AND p.name = r.plugin),
            coalesce(e.trace, r.trace), CASE r.trigger WHEN 'manual' THEN (
                SELECT d.runId FROM dead_runs d WHERE d.tenant = r.tenant AND d.replayedBy = r.id) END
        FROM runs r JOIN tasks t ON t.tenant = r.tenant AND t.id = r.taskId
            LEFT JOIN events e ON e.tenant = r.tenant AND e.id = r.eventId
        WHERE r.tenant = ?1 AND r.id = ?2 AND r.state = 'queued'";
    let mut statement = connection.prepare_cached(sql)?;
    let key = (request.tenant.as_str(), request.run_id.to_string());
    let found = statement.query_row(key, |row| Ok((Gate::read(row)?, read(row, request, now)?)));
    let Some((gate, mut claimed)) = found.optional()? else { return Ok(Claim::Gone) };
    if gate.is_paused {
        return Ok(Claim::Paused);
    }
    if gate.ready_at > now {
        return Ok(Claim::Early(gate.ready_at));
    }
    if gate.any_suspects && suspect::holds(connection, &claimed)? {
        return Ok(Claim::Suspected);
    }
    if overlap::is_blocked(connection, &claimed, gate.overlap, gate.concurrency)? {
        return Ok(Claim::Blocked);
    }
    if overlap::is_plugin_busy(connection, &claimed, gate.plugin_concurrency)? {
        return Ok(Claim::PluginBusy(claimed.plugin));
    }
    if let Some(limit) = &gate.rate_limit {
        match rate::pass(connection, &claimed, limit, gate.rate, now)? {
            Pass::Through(left) => claimed.rate_left = Some(left),
            Pass::Refused(claim) => return Ok(claim),
        }
    }
    start(connection, &claimed, gate.event_id.as_deref())?;
    Ok(Claim::Started(Box::new(claimed)))
}

/// What of the task decides whether a run may start.
struct Gate {
    ready_at: Timestamp,
    is_paused: bool,
    overlap: Overlap,
    concurrency: Option<u32>,
    rate_limit: Option<RateLimit>,
    rate: RateState,
    event_id: Option<String>,
    /// Whether any version is blamed for a crash of the host. Hardly ever.
    any_suspects: bool,
    /// Executions of its plugin at once; `None` is as many as there may be.
    plugin_concurrency: Option<u32>,
}

impl Gate {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            ready_at: row.parsed(0)?,
            is_paused: row.plain(1)?,
            overlap: row.parsed(2)?,
            concurrency: row.plain(3)?,
            rate_limit: row.json(4)?,
            rate: RateState { count: row.plain(5)?, window: row.parsed_option(6)?, limiting: None },
            event_id: row.plain(7)?,
            any_suspects: row.plain(24)?,
            plugin_concurrency: row.plain(26)?,
        })
    }
}

fn read(row: &Row<'_>, request: &ClaimRequest, now: Timestamp) -> rusqlite::Result<Claimed> {
    Ok(Claimed {
        tenant: request.tenant.clone(),
        task_id: row.parsed(8)?,
        run_id: request.run_id,
        execution_id: request.execution_id,
        trigger: row.parsed(9)?,
        event: row.plain(10)?,
        data: row.plain(11)?,
        scheduled_at: row.parsed_option(12)?,
        ready_at: row.parsed(0)?,
        attempt: row.plain(13)?,
        started_at: now,
        first_started_at: row.parsed_option(14)?.unwrap_or(now),
        has_started: row.plain::<Option<String>>(14)?.is_some(),
        requeues: row.plain(15)?,
        hops: row.plain(16)?,
        plugin: row.parsed(17)?,
        digest: row.parsed(18)?,
        metadata: row.plain::<Option<String>>(19)?.map(Arc::from),
        retry: row.json(20)?.unwrap_or(RetryPolicy::ONCE),
        limits: row.json(21)?.unwrap_or_default(),
        is_one_off: row.plain(22)?,
        conflicts: row.plain(23)?,
        on_failure: row.parsed_option(25)?,
        trace: row.parsed_option(27)?,
        replay_of: row.parsed_option(28)?,
        rate_left: None,
    })
}

fn start(connection: &Connection, claimed: &Claimed, event_id: Option<&str>) -> Result<(), StoreError> {
    let (tenant, now) = (claimed.tenant.as_str(), claimed.started_at.to_string());
    let (run, execution) = (claimed.run_id.to_string(), claimed.execution_id.to_string());
    let sql =
        "UPDATE runs SET state = 'running', executionId = ?3, firstStartedAt = coalesce(firstStartedAt, ?4)
        WHERE tenant = ?1 AND id = ?2";
    connection.prepare_cached(sql)?.execute((tenant, run, execution, now))?;
    insert_execution(connection, claimed, event_id)
}

/// Writes the row of an execution that is claimed.
pub(crate) fn insert_execution(
    connection: &Connection,
    claimed: &Claimed,
    event_id: Option<&str>,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO task_executions (tenant, id, taskId, status, startedAt, attempt, runId, trigger, event,
            eventId, scheduledAt, plugin, pluginDigest, traceId)
        VALUES (?1, ?2, ?3, 'running', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    connection.prepare_cached(sql)?.execute(params![
        claimed.tenant.as_str(),
        claimed.execution_id.to_string(),
        claimed.task_id.as_str(),
        claimed.started_at.to_string(),
        claimed.attempt,
        claimed.run_id.to_string(),
        claimed.trigger.as_str(),
        claimed.event,
        event_id,
        claimed.scheduled_at.map(|at| at.to_string()),
        claimed.plugin.as_str(),
        claimed.digest.to_string(),
        claimed.trace.as_ref().map(|trace| trace.trace_id.to_string()),
    ])?;
    Ok(())
}

/// Writes into the tasks that they run, once each.
pub(crate) fn show_running<'a>(
    connection: &Connection,
    started: impl Iterator<Item = &'a Claimed>,
) -> Result<(), StoreError> {
    let latest: BTreeMap<_, _> =
        started.map(|claimed| ((&claimed.tenant, &claimed.task_id), claimed)).collect();
    let sql =
        "UPDATE tasks SET status = 'running', lastRunAt = ?3, attempts = ?4 WHERE tenant = ?1 AND id = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    for ((tenant, task), claimed) in latest {
        let started_at = claimed.started_at.to_string();
        statement.execute((tenant.as_str(), task.as_str(), started_at, claimed.attempt))?;
    }
    Ok(())
}
