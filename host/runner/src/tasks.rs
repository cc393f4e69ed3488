//! Creating, controlling and starting tasks.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use innkeeper_model::execution::ExecutionStatus;
use innkeeper_model::id::{ExecutionId, PluginName, TaskId, TenantId};
use innkeeper_model::precondition::Precondition;
use innkeeper_model::problem::{FieldError, nearest};
use innkeeper_model::sandbox::StopReason;
use innkeeper_model::task::{Task, Trigger};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_store::{Deleted, NewTask, Preset, StoreError, TenantUsage};

use crate::bus::ChangeKind;
use crate::define::{Context, define};
use crate::error::RunnerError;
use crate::plan::{self, Resumption};
use crate::query;
use crate::quotas::{metadata_bytes, task_usage};
use crate::task_runner::TaskRunner;

impl TaskRunner {
    /// Stores a task; it is active at once unless it is paused.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] with every problem of the config; [`StoreError::TaskExists`] if the id is taken.
    pub async fn create_task(&self, tenant: &TenantId, config: TaskConfig) -> Result<Task, RunnerError> {
        let (runner, tenant) = (self.clone(), tenant.clone());
        self.0.finish(async move { runner.create_task_now(&tenant, config).await }).await
    }

    async fn create_task_now(&self, tenant: &TenantId, config: TaskConfig) -> Result<Task, RunnerError> {
        self.refuse_when_stopping()?;
        let kept = self.0.open_tenant(tenant)?;
        let new = self.check(tenant, config, &[]).await?;
        let more = task_usage(&new, true);
        self.0.admit_stored(&kept, more).await?;
        let task = match self.0.store.create_task(tenant, new).await {
            // It was deleted between the check and the insertion.
            Err(StoreError::PluginMissing(name)) => return Err(self.unknown_plugin(tenant, &name).await?),
            stored => stored?,
        };
        kept.meters.add(more);
        self.listen(tenant, &task);
        self.0.scheduled.notify_one();
        self.tell(tenant, &task.definition.id, ChangeKind::Created);
        Ok(task)
    }

    /// Stores tasks in one transaction; what is wrong is refused alone. The answers are in the order of the configs.
    ///
    /// # Errors
    /// Those of the store; then none is stored.
    pub async fn create_tasks(
        &self,
        tenant: &TenantId,
        configs: Vec<TaskConfig>,
    ) -> Result<Vec<Result<Task, RunnerError>>, RunnerError> {
        let (runner, tenant) = (self.clone(), tenant.clone());
        self.0.finish(async move { runner.create_tasks_now(&tenant, configs).await }).await
    }

    async fn create_tasks_now(
        &self,
        tenant: &TenantId,
        configs: Vec<TaskConfig>,
    ) -> Result<Vec<Result<Task, RunnerError>>, RunnerError> {
        self.refuse_when_stopping()?;
        let kept = self.0.open_tenant(tenant)?;
        let defined: Vec<_> = configs.into_iter().map(|config| self.define(tenant, config, None)).collect();
        let valid: Vec<_> = defined.iter().filter_map(|defined| defined.as_ref().ok().cloned()).collect();
        let more = TenantUsage {
            tasks: u64::try_from(valid.len()).unwrap_or(u64::MAX),
            stored_bytes: valid.iter().map(metadata_bytes).fold(0, u64::saturating_add),
            ..TenantUsage::default()
        };
        self.0.admit_stored(&kept, more).await?;
        let mut stored = self.0.store.create_tasks(tenant, valid).await?.into_iter();
        let mut answers = Vec::with_capacity(defined.len());
        for defined in defined {
            let answer = match defined {
                Err(problems) => Err(RunnerError::Invalid(problems)),
                Ok(_) => match stored.next() {
                    Some(Ok(task)) => Ok(task),
                    Some(Err(StoreError::PluginMissing(name))) => {
                        Err(self.unknown_plugin(tenant, &name).await?)
                    }
                    Some(Err(error)) => Err(error.into()),
                    None => Err(StoreError::Stopped.into()),
                },
            };
            if let Ok(task) = &answer {
                kept.meters.add(TenantUsage { tasks: 1, ..TenantUsage::default() });
                self.listen(tenant, task);
                self.tell(tenant, &task.definition.id, ChangeKind::Created);
            }
            answers.push(answer);
        }
        self.0.scheduled.notify_one();
        Ok(answers)
    }

    /// Pauses a task: it neither fires nor starts until it is resumed; what executes goes on. Returns whether it was
    /// not paused before.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such task.
    pub async fn pause_task(&self, tenant: &TenantId, id: &TaskId) -> Result<bool, RunnerError> {
        let (runner, tenant, id) = (self.clone(), tenant.clone(), id.clone());
        self.0.finish(async move { runner.pause_task_now(&tenant, &id).await }).await
    }

    async fn pause_task_now(&self, tenant: &TenantId, id: &TaskId) -> Result<bool, RunnerError> {
        self.0.open_tenant(tenant)?;
        let Some(changed) = self.0.store.pause_task(tenant, id).await? else {
            return Err(self.no_such_task(tenant, id).await);
        };
        if changed {
            self.tell(tenant, id, ChangeKind::Paused);
        }
        Ok(changed)
    }

    /// Resumes a task. Due times that passed meanwhile are not made up for; a one-off whose time has come runs now.
    /// Returns whether it was paused before.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such task; [`RunnerError::Quarantined`] if it is paused because its plugin is
    /// quarantined.
    pub async fn resume_task(&self, tenant: &TenantId, id: &TaskId) -> Result<bool, RunnerError> {
        let (runner, tenant, id) = (self.clone(), tenant.clone(), id.clone());
        self.0.finish(async move { runner.resume_task_now(&tenant, &id).await }).await
    }

    async fn resume_task_now(&self, tenant: &TenantId, id: &TaskId) -> Result<bool, RunnerError> {
        self.0.open_tenant(tenant)?;
        if let Some(reason) = self.get_task(tenant, id).await?.pause_reason {
            return Err(RunnerError::Quarantined(reason));
        }
        self.resume_task_anyhow(tenant, id).await
    }

    /// Resumes a task, whoever paused it.
    pub(crate) async fn resume_task_anyhow(
        &self,
        tenant: &TenantId,
        id: &TaskId,
    ) -> Result<bool, RunnerError> {
        let shared = &self.0;
        let task = self.get_task(tenant, id).await?;
        let schedule = query::schedule(&task, &shared.schedules);
        let resumption = schedule.map(|schedule| plan::resume(&task, &schedule, shared.clock.now()));
        let Resumption { next_run_at, skipped } = resumption.unwrap_or_default();
        let resumed = shared.store.resume_task(tenant, id, next_run_at, skipped, shared.clock.now()).await?;
        let changed = resumed.ok_or_else(|| RunnerError::not_found("task", id))?;
        if changed {
            self.requeue(tenant, id).await?;
            self.tell(tenant, id, ChangeKind::Resumed);
        }
        Ok(changed)
    }

    /// Deletes a task with its waiting runs and cancels what executes. The audit trail stays.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such task.
    pub async fn delete_task(&self, tenant: &TenantId, id: &TaskId) -> Result<(), RunnerError> {
        self.delete_task_if(tenant, id, Precondition::None).await
    }

    /// As [`TaskRunner::delete_task`], if the task is as `precondition` demands.
    ///
    /// # Errors
    /// Also [`StoreError::Precondition`] if it is not.
    pub async fn delete_task_if(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        precondition: Precondition,
    ) -> Result<(), RunnerError> {
        let (runner, tenant, id) = (self.clone(), tenant.clone(), id.clone());
        self.0.finish(async move { runner.delete_task_now(&tenant, &id, precondition).await }).await
    }

    async fn delete_task_now(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        precondition: Precondition,
    ) -> Result<(), RunnerError> {
        let shared = &self.0;
        let task = self.get_task(tenant, id).await?;
        let deleted = shared.store.delete_task(tenant, id, precondition, shared.clock.now()).await?;
        let deleted = deleted.ok_or_else(|| RunnerError::not_found("task", id))?;
        self.forget_task(tenant, &task, &deleted);
        Ok(())
    }

    /// Does what follows from the deletion of a task.
    pub(crate) fn forget_task(&self, tenant: &TenantId, task: &Task, deleted: &Deleted) {
        let (shared, id) = (&self.0, &task.definition.id);
        shared.lock_queue().forget(tenant, id);
        if let Some(meters) = shared.meters(tenant) {
            meters.task_deleted();
        }
        for execution in &deleted.running {
            shared.running.stop(execution, StopReason::Cancelled);
        }
        self.stop_listening(tenant, task);
        self.tell(tenant, id, ChangeKind::Deleted);
    }

    /// Cancels a running execution: it is interrupted and its run ends as failed.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such execution; [`RunnerError::NotRunning`] if it has ended.
    pub async fn cancel_execution(&self, tenant: &TenantId, id: &ExecutionId) -> Result<(), RunnerError> {
        let execution = self.execution(tenant, id).await?;
        let running = execution.status == ExecutionStatus::Running;
        if running && self.0.running.stop(id, StopReason::Cancelled) {
            return Ok(());
        }
        Err(RunnerError::NotRunning(id.to_string()))
    }

    /// Everything that is wrong with a config, or the task to be stored.
    pub(crate) async fn check(
        &self,
        tenant: &TenantId,
        config: TaskConfig,
        assumed: &[PluginName],
    ) -> Result<NewTask, RunnerError> {
        let is_assumed = |name: &str| assumed.iter().any(|assumed| assumed.as_str() == name);
        self.check_beside(tenant, config, is_assumed, None).await
    }

    /// As [`TaskRunner::check`], where `presets` are all that there will be: patterns by name.
    pub(crate) async fn check_beside(
        &self,
        tenant: &TenantId,
        mut config: TaskConfig,
        is_assumed: impl Fn(&str) -> bool,
        presets: Option<&BTreeMap<String, String>>,
    ) -> Result<NewTask, RunnerError> {
        let version = self.complete_digest(tenant, &mut config).await?;
        let plugin = config.plugin.clone();
        let defined = self.define(tenant, config, presets);
        // A version that is named with it is looked for when the task is stored.
        let name = plugin.split('@').next().unwrap_or_default();
        let missing = if is_assumed(name) { None } else { self.missing_plugin(tenant, &plugin).await? };
        match (defined, missing.or(version)) {
            (Ok(new), None) => Ok(new),
            (Ok(_), Some(problem)) => Err(RunnerError::Invalid(vec![problem])),
            (Err(mut problems), missing) => {
                problems.extend(missing);
                Err(RunnerError::Invalid(problems))
            }
        }
    }

    fn define(
        &self,
        tenant: &TenantId,
        config: TaskConfig,
        presets: Option<&BTreeMap<String, String>>,
    ) -> Result<NewTask, Vec<FieldError>> {
        let shared = &self.0;
        let timezone = shared.tenants.find(tenant).and_then(|kept| kept.timezone.clone());
        let kept = shared.presets.read().unwrap_or_else(PoisonError::into_inner);
        let context = Context {
            presets: presets.unwrap_or(&kept),
            tables: shared.schedules.tables(),
            timezone: timezone.as_ref().unwrap_or(&shared.config.timezone),
            now: shared.clock.now(),
        };
        define(config, &context)
    }

    /// The patterns that there will be with these presets, by name.
    pub(crate) fn patterns_with(&self, presets: &[Preset]) -> BTreeMap<String, String> {
        let mut patterns = self.0.presets.read().unwrap_or_else(PoisonError::into_inner).clone();
        patterns.extend(presets.iter().map(|preset| (preset.name.clone(), preset.cron.clone())));
        patterns
    }

    pub(crate) fn listen(&self, tenant: &TenantId, task: &Task) {
        if let Trigger::OnEvent(pattern) = &task.definition.trigger {
            self.0.listen(tenant, pattern, task.definition.id.clone());
        }
    }

    pub(crate) fn stop_listening(&self, tenant: &TenantId, task: &Task) {
        if let Trigger::OnEvent(pattern) = &task.definition.trigger {
            self.0.stop_listening(tenant, pattern, &task.definition.id);
        }
    }

    /// Has both loops look again at a task that changed.
    pub(crate) async fn requeue(&self, tenant: &TenantId, id: &TaskId) -> Result<(), RunnerError> {
        let shared = &self.0;
        shared.lock_queue().forget(tenant, id);
        shared.enqueue(shared.store.queued_runs(Some((tenant.clone(), id.clone()))).await?);
        shared.scheduled.notify_one();
        Ok(())
    }

    /// What is wrong with a handler that is written well but does not exist.
    async fn missing_plugin(
        &self,
        tenant: &TenantId,
        reference: &str,
    ) -> Result<Option<FieldError>, RunnerError> {
        let name = reference.split('@').next().unwrap_or_default();
        let Ok(name) = name.parse::<PluginName>() else { return Ok(None) };
        if let Some(plugin) = self.0.store.plugin(tenant, &name).await? {
            // A task that names a version does not need an active one.
            let is_usable = plugin.digest.is_some() || reference.contains('@');
            return Ok((!is_usable).then(|| no_active_version(&name)));
        }
        let plugins = self.plugins(tenant).await?;
        let suggestion = nearest(name.as_str(), plugins.iter().map(|plugin| plugin.name.as_str()));
        let hint = match &suggestion {
            Some(near) => format!("; did you mean `{near}`?"),
            None => "; push it first with `innkeeper plugin push`".to_owned(),
        };
        let message = format!("the plugin `{name}` does not exist{hint}");
        Ok(Some(FieldError::new("plugin", "unknown_plugin", message).suggesting(suggestion)))
    }

    pub(crate) async fn unknown_plugin(
        &self,
        tenant: &TenantId,
        reference: &str,
    ) -> Result<RunnerError, RunnerError> {
        let missing = self.missing_plugin(tenant, reference).await?;
        let message = format!("there is no version `{reference}`");
        let problem = missing.unwrap_or_else(|| FieldError::new("plugin", "unknown_version", message));
        Ok(RunnerError::Invalid(vec![problem]))
    }
}

fn no_active_version(name: &PluginName) -> FieldError {
    let message = format!(
        "the plugin `{name}` has no active version yet: activate one with `innkeeper plugin activate {name} DIGEST`, or \
         name one as `{name}@DIGEST`"
    );
    FieldError::new("plugin", "no_active_version", message)
}
