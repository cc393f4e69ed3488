//! What a runner can be asked.

use innkeeper_model::execution::{Execution, LogLine};
use innkeeper_model::id::{ExecutionId, TaskId, TenantId};
use innkeeper_model::task::Task;
use innkeeper_model::tenant::TenantStatus;
use innkeeper_model::time::Timestamp;
use innkeeper_schedule::cron::Schedule;
use innkeeper_store::{ExecutionFilter, Skip, TaskFilter};
use serde::Serialize;

use crate::error::RunnerError;
use crate::schedules::Schedules;
use crate::task_runner::TaskRunner;
use crate::why::{self, Hold};

/// Counts over a tenant's tasks: the specification's `TaskStats`, and more of ours after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStats {
    /// Tasks in all.
    pub total: u64,
    /// Tasks that wait to run.
    pub pending: u64,
    /// Tasks that execute now.
    pub running: u64,
    /// Paused tasks.
    pub paused: u64,
    /// Active repeating schedules.
    pub scheduled_jobs: u64,
    /// Active timers of one-offs.
    pub timeouts: u64,
    /// Event subscribers: event tasks and live subscriptions.
    pub subscribers: u64,
    /// Runs that wait, for a slot or for a retry.
    pub queued_runs: u64,
    /// Runs that execute.
    pub running_runs: u64,
}

impl TaskRunner {
    /// The task with this id.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none.
    pub async fn get_task(&self, tenant: &TenantId, id: &TaskId) -> Result<Task, RunnerError> {
        match self.0.store.task(tenant, id).await? {
            Some(task) => Ok(task),
            None => Err(self.no_such_task(tenant, id).await),
        }
    }

    /// What a task waits for, in words.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such task.
    pub async fn why(&self, tenant: &TenantId, id: &TaskId) -> Result<String, RunnerError> {
        let task = self.get_task(tenant, id).await?;
        let waiting = self.0.store.waiting_run(tenant, id).await?;
        Ok(why::why(&task, waiting.as_ref(), self.hold(tenant, &task).as_ref(), self.now()))
    }

    /// What holds the runs of a task that could start otherwise.
    fn hold(&self, tenant: &TenantId, task: &Task) -> Option<Hold> {
        let status = self.tenant_status(tenant)?;
        if status != TenantStatus::Active {
            return Some(Hold::TenantDisabled);
        }
        let definition = &task.definition;
        if let Some(why) = self.0.suspects.hold(tenant, &definition.id, &definition.plugin.name) {
            return Some(Hold::Suspect(why));
        }
        let plugin = &definition.plugin.name;
        if self.0.plugin_lines.holds(tenant, plugin, &definition.id) {
            let most = self.concurrency_of_plugin(tenant, plugin);
            return Some(Hold::PluginCap(plugin.clone(), most));
        }
        let (running, most) = self.0.lock_queue().load(tenant);
        (running >= most).then_some(Hold::TenantCap(most))
    }

    /// Tasks in the order of their ids.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tasks(&self, tenant: &TenantId, filter: TaskFilter) -> Result<Vec<Task>, RunnerError> {
        Ok(self.0.store.tasks(tenant, filter).await?)
    }

    /// The audit trail, the newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn executions(
        &self,
        tenant: &TenantId,
        filter: ExecutionFilter,
    ) -> Result<Vec<Execution>, RunnerError> {
        Ok(self.0.store.executions(tenant, filter).await?)
    }

    /// The execution with this id.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none.
    pub async fn execution(&self, tenant: &TenantId, id: &ExecutionId) -> Result<Execution, RunnerError> {
        self.0.store.execution(tenant, id).await?.ok_or_else(|| RunnerError::not_found("execution", id))
    }

    /// What an execution logged, in order.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such execution.
    pub async fn logs(&self, tenant: &TenantId, id: &ExecutionId) -> Result<Vec<LogLine>, RunnerError> {
        self.execution(tenant, id).await?;
        Ok(self.0.store.logs(tenant, id).await?)
    }

    /// What of a task did not run, and why, the newest first.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such task.
    pub async fn skips(&self, tenant: &TenantId, id: &TaskId, limit: u32) -> Result<Vec<Skip>, RunnerError> {
        let skips = self.skips_before(tenant, id, None, limit).await?;
        Ok(skips.into_iter().map(|(_, skip)| skip).collect())
    }

    /// As [`TaskRunner::skips`], each with its number; only those numbered below `before`.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such task.
    pub async fn skips_before(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, Skip)>, RunnerError> {
        self.get_task(tenant, id).await?;
        Ok(self.0.store.skips(tenant, id, before, limit).await?)
    }

    /// The next due times of a task, at most `count`.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such task.
    pub async fn next_runs(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        count: usize,
    ) -> Result<Vec<Timestamp>, RunnerError> {
        Ok(upcoming(&self.get_task(tenant, id).await?, &self.0.schedules, self.now(), count))
    }

    /// The last due time of a task that has passed since it was created, whether or not it ran.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such task.
    pub async fn previous_run(
        &self,
        tenant: &TenantId,
        id: &TaskId,
    ) -> Result<Option<Timestamp>, RunnerError> {
        Ok(latest(&self.get_task(tenant, id).await?, &self.0.schedules, self.now()))
    }

    /// Counts over the tenant's tasks.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn stats(&self, tenant: &TenantId) -> Result<TaskStats, RunnerError> {
        let stored = self.0.store.stats(tenant).await?;
        let live = u64::try_from(self.0.bus.subscribers_of(tenant)).unwrap_or(u64::MAX);
        Ok(TaskStats {
            total: stored.total,
            pending: stored.pending,
            running: stored.running,
            paused: stored.paused,
            scheduled_jobs: stored.scheduled_jobs,
            timeouts: stored.timeouts,
            subscribers: stored.event_tasks.saturating_add(live),
            queued_runs: stored.queued_runs,
            running_runs: stored.running_runs,
        })
    }
}

/// The next due times of a repeating task after `after`, at most `count`; of a one-off its only one. A paused task has
/// none.
fn upcoming(task: &Task, schedules: &Schedules, after: Timestamp, count: usize) -> Vec<Timestamp> {
    if task.definition.is_paused {
        return Vec::new();
    }
    match schedule(task, schedules) {
        Some(schedule) => schedule.next_n(after, count),
        None => task.next_run_at.into_iter().take(count).collect(),
    }
}

/// The last due time of a repeating task before `before`, whether or not it ran; of a one-off, its own if it is past.
fn latest(task: &Task, schedules: &Schedules, before: Timestamp) -> Option<Timestamp> {
    match schedule(task, schedules) {
        Some(schedule) => schedule.previous_before(before).filter(|at| *at >= task.created_at),
        None => task.cursor,
    }
}

/// The schedule of a repeating task; `None` if it is none, or no longer understood.
pub(crate) fn schedule(task: &Task, schedules: &Schedules) -> Option<Schedule> {
    schedules.schedule(task.definition.trigger.cron()?, &task.definition.timezone)
}
