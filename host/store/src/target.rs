//! The task of a run that is about to be recorded: one query says all that decides what becomes of the run.

use std::sync::Arc;

use innkeeper_model::id::{Digest, ExecutionId, PluginName, RunId, TaskId, TenantId};
use innkeeper_model::limits::LimitWishes;
use innkeeper_model::retry::RetryPolicy;
use innkeeper_model::run::TriggerKind;
use innkeeper_model::task::Overlap;
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::{EventName, TopicPattern};
use innkeeper_model::trace::TraceContext;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use crate::StoreError;
use crate::queued::QueuedRun;
use crate::run::{Claimed, insert_execution};
use crate::value::Columns as _;

/// A task as a new run of it finds it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Target {
    pub(crate) tenant: TenantId,
    pub(crate) task_id: TaskId,
    pub(crate) is_paused: bool,
    pub(crate) next_run_at: Option<String>,
    pub(crate) revision: u64,
    pub(crate) on_event: Option<TopicPattern>,
    pub(crate) overlap: Overlap,
    /// Whether other runs of it are in progress. Not asked if they may overlap.
    pub(crate) is_busy: bool,
    /// Whether a rate limit, or a cap of its own or of its plugin, decides when its runs start, or a suspect may run.
    is_limited: bool,
    is_one_off: bool,
    plugin: PluginName,
    digest: Digest,
    metadata: Option<Arc<str>>,
    retry: RetryPolicy,
    limits: LimitWishes,
    on_failure: Option<EventName>,
}

/// Where a run comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) trigger: TriggerKind,
    pub(crate) event_id: Option<String>,
    /// The event's name. That of an event run stands in `events`, and is only handed on.
    pub(crate) event: Option<String>,
    /// The event's data, likewise.
    pub(crate) data: Option<String>,
    pub(crate) scheduled_at: Option<Timestamp>,
    pub(crate) hops: u32,
    /// What led to it. That of an event run stands in `events`, likewise.
    pub(crate) trace: Option<TraceContext>,
}

impl Origin {
    pub(crate) fn new(trigger: TriggerKind) -> Self {
        Self { trigger, event_id: None, event: None, data: None, scheduled_at: None, hops: 0, trace: None }
    }
}

impl Target {
    /// The task, or `None` if it does not exist.
    pub(crate) fn find(
        connection: &Connection,
        tenant: &TenantId,
        task: &TaskId,
    ) -> Result<Option<Self>, StoreError> {
        // Read by place: this is a hot query.
        let sql = "SELECT t.isPaused, t.nextRunAt, t.onEvent, t.overlap,
                CASE WHEN t.overlap = 'allow' THEN 0 ELSE EXISTS (SELECT 1 FROM runs r INDEXED BY runs_by_task
                    WHERE r.tenant = t.tenant AND r.taskId = t.id) END,
                t.rateLimit IS NOT NULL OR t.concurrency IS NOT NULL OR p.concurrency IS NOT NULL
                    OR EXISTS (SELECT 1 FROM suspects),
                t.cron IS NULL AND t.onEvent IS NULL,
                t.plugin, coalesce(t.pluginDigest, p.activeDigest), t.metadata, t.retryPolicy, t.limits,
                t.onFailure, t.revision
            FROM tasks t JOIN plugins p ON p.tenant = t.tenant AND p.name = t.plugin
            WHERE t.tenant = ?1 AND t.id = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let found =
            statement.query_row([tenant.as_str(), task.as_str()], |row| Self::read(row, tenant, task));
        Ok(found.optional()?)
    }

    fn read(row: &Row<'_>, tenant: &TenantId, task: &TaskId) -> rusqlite::Result<Self> {
        Ok(Self {
            tenant: tenant.clone(),
            task_id: task.clone(),
            is_paused: row.plain(0)?,
            next_run_at: row.plain(1)?,
            revision: row.plain(13)?,
            on_event: row.parsed_option(2)?,
            overlap: row.parsed(3)?,
            is_busy: row.plain(4)?,
            is_limited: row.plain(5)?,
            is_one_off: row.plain(6)?,
            plugin: row.parsed(7)?,
            digest: row.parsed(8)?,
            metadata: row.plain::<Option<String>>(9)?.map(Arc::from),
            retry: row.json(10)?.unwrap_or(RetryPolicy::ONCE),
            limits: row.json(11)?.unwrap_or_default(),
            on_failure: row.parsed_option(12)?,
        })
    }

    /// Whether a run that is recorded now may start in the same moment, if a slot is free.
    pub(crate) fn starts_freely(&self) -> bool {
        !self.is_limited && (self.overlap == Overlap::Allow || !self.is_busy)
    }

    /// Inserts a run that waits. `None` if a run of the same due time is in progress: it is that due time's run already.
    pub(crate) fn insert_run(
        &mut self,
        connection: &Connection,
        run_id: RunId,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<QueuedRun>, StoreError> {
        if !self.insert(connection, run_id, None, origin, now)? {
            return Ok(None);
        }
        let (tenant, task_id) = (self.tenant.clone(), self.task_id.clone());
        Ok(Some(QueuedRun { tenant, task_id, run_id, ready_at: now, has_started: false }))
    }

    /// Inserts a run and its first execution, which is claimed with that. `None` as for a run that waits.
    pub(crate) fn start_run(
        &mut self,
        connection: &Connection,
        (run_id, execution_id): (RunId, ExecutionId),
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<Claimed>, StoreError> {
        if !self.insert(connection, run_id, Some(execution_id), origin, now)? {
            return Ok(None);
        }
        let claimed = self.claimed(run_id, execution_id, origin, now);
        insert_execution(connection, &claimed, origin.event_id.as_deref())?;
        Ok(Some(claimed))
    }

    fn insert(
        &mut self,
        connection: &Connection,
        run_id: RunId,
        execution_id: Option<ExecutionId>,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO runs (tenant, id, taskId, state, trigger, eventId, event, data, scheduledAt,
                recordedAt, readyAt, hops, plugin, pluginDigest, firstStartedAt, executionId, trace)
            VALUES (:tenant, :id, :task, :state, :trigger, :eventId, :event, :data, :scheduledAt,
                :now, :now, :hops, :plugin, :digest, :firstStartedAt, :execution, :trace)
            ON CONFLICT (tenant, taskId, scheduledAt) WHERE trigger = 'schedule' DO NOTHING";
        let stands_in_events = origin.event_id.is_some();
        let now = now.to_string();
        let inserted = connection.prepare_cached(sql)?.execute(named_params! {
            ":tenant": self.tenant.as_str(),
            ":id": run_id.to_string(),
            ":task": self.task_id.as_str(),
            ":state": if execution_id.is_some() { "running" } else { "queued" },
            ":trigger": origin.trigger.as_str(),
            ":eventId": origin.event_id,
            ":event": origin.event.as_ref().filter(|_| !stands_in_events),
            ":data": origin.data.as_ref().filter(|_| !stands_in_events),
            ":scheduledAt": origin.scheduled_at.map(|at| at.to_string()),
            ":now": now,
            ":hops": origin.hops,
            ":plugin": self.plugin.as_str(),
            ":digest": self.digest.to_string(),
            ":firstStartedAt": execution_id.is_some().then_some(&now),
            ":execution": execution_id.map(|id| id.to_string()),
            ":trace": origin.trace.as_ref().filter(|_| !stands_in_events).map(ToString::to_string),
        })?;
        self.is_busy = true;
        Ok(inserted == 1)
    }

    fn claimed(&self, run_id: RunId, execution_id: ExecutionId, origin: &Origin, now: Timestamp) -> Claimed {
        Claimed {
            tenant: self.tenant.clone(),
            task_id: self.task_id.clone(),
            run_id,
            execution_id,
            trigger: origin.trigger,
            event: origin.event.clone(),
            data: origin.data.clone(),
            scheduled_at: origin.scheduled_at,
            ready_at: now,
            attempt: 1,
            started_at: now,
            first_started_at: now,
            has_started: false,
            requeues: 0,
            conflicts: 0,
            hops: origin.hops,
            plugin: self.plugin.clone(),
            digest: self.digest,
            metadata: self.metadata.clone(),
            retry: self.retry,
            limits: self.limits,
            is_one_off: self.is_one_off,
            on_failure: self.on_failure.clone(),
            trace: origin.trace.clone(),
            // Repetitions are manual starts, which wait to be claimed.
            replay_of: None,
            rate_left: None,
        }
    }
}
