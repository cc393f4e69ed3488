//! Storing a task in place of another one.

use innkeeper_model::id::TenantId;
use innkeeper_model::precondition::Precondition;
use innkeeper_model::task::Task;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_store::{NewTask, StoreError, TenantUsage};

use crate::bus::ChangeKind;
use crate::error::RunnerError;
use crate::plan;
use crate::query;
use crate::quotas::task_usage;
use crate::task_runner::TaskRunner;

impl TaskRunner {
    /// Stores a task in place of the one with its id, or anew; also returns whether it is new. What the old one has
    /// counted stays; its due time stays too if trigger and zone are the same.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] with every problem of the config.
    pub async fn replace_task(
        &self,
        tenant: &TenantId,
        config: TaskConfig,
    ) -> Result<(Task, bool), RunnerError> {
        self.replace_task_if(tenant, config, Precondition::None).await
    }

    /// As [`TaskRunner::replace_task`], if the task is as `precondition` demands; its tag is [`Task::tag`].
    ///
    /// # Errors
    /// Also [`StoreError::Precondition`] if it is not.
    pub async fn replace_task_if(
        &self,
        tenant: &TenantId,
        config: TaskConfig,
        precondition: Precondition,
    ) -> Result<(Task, bool), RunnerError> {
        let (runner, tenant) = (self.clone(), tenant.clone());
        self.0.finish(async move { runner.replace_task_now(&tenant, config, precondition).await }).await
    }

    async fn replace_task_now(
        &self,
        tenant: &TenantId,
        config: TaskConfig,
        precondition: Precondition,
    ) -> Result<(Task, bool), RunnerError> {
        self.refuse_when_stopping()?;
        let kept = self.0.open_tenant(tenant)?;
        let new = self.check(tenant, config, &[]).await?;
        let before = self.0.store.task(tenant, &new.definition.id).await?;
        let new = self.in_place_of(before.as_ref(), new)?;
        let more = task_usage(&new, before.is_none());
        self.0.admit_stored(&kept, more).await?;
        let replaced = match self.0.store.replace_task(tenant, new, precondition).await {
            Err(StoreError::PluginMissing(name)) => return Err(self.unknown_plugin(tenant, &name).await?),
            stored => stored?,
        };
        let id = &replaced.task.definition.id;
        if let Some(before) = &replaced.before {
            self.stop_listening(tenant, before);
        }
        self.listen(tenant, &replaced.task);
        self.requeue(tenant, id).await?;
        let change = if replaced.before.is_some() { ChangeKind::Replaced } else { ChangeKind::Created };
        self.tell(tenant, id, change);
        let is_new = replaced.before.is_none();
        kept.meters.add(TenantUsage { tasks: u64::from(is_new), ..more });
        Ok((replaced.task, is_new))
    }

    /// A task that takes the place of another one resumes it as somebody would by hand.
    ///
    /// # Errors
    /// [`RunnerError::Quarantined`] if it would run a version again that has brought the host down.
    pub(crate) fn in_place_of(
        &self,
        before: Option<&Task>,
        mut new: NewTask,
    ) -> Result<NewTask, RunnerError> {
        let Some(before) = before.filter(|before| before.definition.is_paused) else { return Ok(new) };
        let (old, definition) = (&before.definition, &new.definition);
        if definition.is_paused {
            return Ok(new);
        }
        if let Some(reason) = before.pause_reason.clone().filter(|_| definition.plugin == old.plugin) {
            return Err(RunnerError::Quarantined(reason));
        }
        if definition.trigger == old.trigger && definition.timezone == old.timezone {
            let schedule = query::schedule(before, &self.0.schedules);
            let resumed = schedule.map(|schedule| plan::resume(before, &schedule, self.0.clock.now()));
            new.skipped = resumed.and_then(|resumed| resumed.skipped);
        }
        Ok(new)
    }
}
