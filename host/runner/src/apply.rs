//! Bringing a tenant to what is declared: what has to change is found out first, and then changed in one transaction.

mod plan;

use innkeeper_model::id::TenantId;
use innkeeper_model::precondition::Precondition;
use innkeeper_model::problem::FieldError;
use innkeeper_model::task::Task;
use innkeeper_store::{
    Applied, Batch, ConfigChange, PluginChange, PluginVersion, StoredConfig, TenantUsage, VersionChange,
};

use crate::bus::ChangeKind;
use crate::config_values::no_key;
use crate::declaration::{ApplyPlan, Declaration, PlannedPlugin, PlannedTask, PlannedVersion};
use crate::error::RunnerError;
use crate::quotas::metadata_bytes;
use crate::staged::StagedComponent;
use crate::task_runner::TaskRunner;

/// Changes of one transaction at most: whoever else writes waits for so long.
const CHANGES_MAX: usize = 5000;

impl TaskRunner {
    /// What has to change for a tenant to have what is declared.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] with everything that is wrong, in fields such as `tasks[3].cron`, or if more would change
    /// than can be changed at once.
    pub async fn plan(&self, tenant: &TenantId, declaration: Declaration) -> Result<ApplyPlan, RunnerError> {
        let plan = self.find_changes(tenant, declaration).await?;
        if plan.len() > CHANGES_MAX {
            let message = format!(
                "declares {} changes, and at most {CHANGES_MAX} are made at once: declare it in parts",
                plan.len()
            );
            return Err(RunnerError::Invalid(vec![FieldError::new("body", "too_many_changes", message)]));
        }
        Ok(plan)
    }

    /// Changes what a plan says, all of it or nothing.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] if a component was not uploaded; [`innkeeper_store::StoreError::Precondition`] if something has changed since
    /// the plan was made; [`RunnerError::QuotaExceeded`] if the tenant may not have so much. Then nothing is changed.
    pub async fn carry_out(&self, tenant: &TenantId, plan: ApplyPlan) -> Result<(), RunnerError> {
        let (runner, tenant) = (self.clone(), tenant.clone());
        self.0.finish(async move { runner.carry_out_now(&tenant, plan).await }).await
    }

    async fn carry_out_now(&self, tenant: &TenantId, plan: ApplyPlan) -> Result<(), RunnerError> {
        if plan.is_empty() {
            return Ok(());
        }
        self.refuse_when_stopping()?;
        let kept = self.0.open_tenant(tenant)?;
        let batch = self.batch(tenant, &plan)?;
        let more = usage(&plan, &batch);
        self.0.admit_stored(&kept, more).await?;
        let _one = self.0.policies.one_by_one().await;
        let applied = self.0.store.apply(tenant, batch, self.0.clock.now()).await?;
        kept.meters.add(more);
        self.follow_presets_and_plugins(tenant, &plan);
        self.follow_tasks(tenant, &applied);
        tracing::info!(%tenant, changes = plan.len(), "declaration.applied");
        // What is left reads the store. It is done already, and whoever asked must not be told that it is not.
        if let Err(error) = self.resume_and_requeue(tenant, &plan, &applied).await {
            tracing::error!(%tenant, %error, "declaration.applied, and what waited for it may go on late");
        }
        Ok(())
    }

    /// The changes of a plan, as the store makes them.
    fn batch(&self, tenant: &TenantId, plan: &ApplyPlan) -> Result<Batch, RunnerError> {
        let mut batch = Batch {
            presets: plan.presets.iter().map(|(_, preset)| preset.clone()).collect(),
            tasks: plan.tasks.iter().map(task_change).collect(),
            deleted_tasks: plan.deleted_tasks.clone(),
            deleted_plugins: plan.deleted_plugins.clone(),
            ..Batch::default()
        };
        for plugin in &plan.plugins {
            batch.plugins.push(self.plugin_change(tenant, plugin)?);
        }
        for (key, before) in &plan.deleted_config {
            let (key, before) = (key.clone(), Some(before.clone()));
            batch.config.push(ConfigChange { key, before, value: None });
        }
        for planned in &plan.config {
            let value = if planned.is_secret {
                let secret_key = self.0.config.secret_key.as_ref();
                let secret_key = secret_key.ok_or_else(|| RunnerError::Invalid(vec![no_key()]))?;
                StoredConfig::Secret(secret_key.seal(tenant, &planned.key, &planned.value))
            } else {
                StoredConfig::Plain(planned.value.clone())
            };
            batch.config.push(ConfigChange {
                key: planned.key.clone(),
                before: planned.stored.clone(),
                value: Some(value),
            });
        }
        Ok(batch)
    }

    fn plugin_change(&self, tenant: &TenantId, planned: &PlannedPlugin) -> Result<PluginChange, RunnerError> {
        let version = match planned.version {
            PlannedVersion::Active => VersionChange::Keep,
            PlannedVersion::Stored => VersionChange::Activate(planned.digest),
            PlannedVersion::Staged | PlannedVersion::Missing => {
                let found = self.0.staged.find(tenant, &planned.digest);
                let (staged, component) = found.ok_or_else(|| not_uploaded(planned))?;
                let (name, digest) = (planned.name.clone(), planned.digest);
                let StagedComponent { handler, imports, uploaded_by, .. } = staged;
                VersionChange::Store(PluginVersion { name, digest, handler, imports, uploaded_by, component })
            }
        };
        let demanded = match &planned.tag {
            Some(tag) => Precondition::Tagged(vec![tag.clone()]),
            None => Precondition::Absent,
        };
        let (policy_before, policy) = (planned.policy_before.clone(), planned.policy.clone());
        Ok(PluginChange { name: planned.name.clone(), demanded, version, policy_before, policy })
    }

    fn follow_presets_and_plugins(&self, tenant: &TenantId, plan: &ApplyPlan) {
        for (_, preset) in &plan.presets {
            self.know_preset(preset);
        }
        for plugin in &plan.plugins {
            self.0.policies.keep(tenant, &plugin.name, plugin.policy.clone());
            // It may have more executions than before.
            self.0.plugin_has_room(tenant, &plugin.name);
            if plugin.version != PlannedVersion::Active {
                self.0.staged.forget(tenant, &plugin.digest);
                tracing::info!(%tenant, plugin = %plugin.name, digest = %plugin.digest, "plugin.applied");
            }
        }
        for name in &plan.deleted_plugins {
            self.0.policies.keep(tenant, name, innkeeper_store::PluginPolicy::default());
            if let Some(meters) = self.0.meters(tenant) {
                meters.plugin_deleted();
            }
        }
    }

    fn follow_tasks(&self, tenant: &TenantId, applied: &Applied) {
        for replaced in &applied.replaced {
            let id = &replaced.task.definition.id;
            if let Some(before) = &replaced.before {
                self.stop_listening(tenant, before);
            }
            self.listen(tenant, &replaced.task);
            let change = if replaced.before.is_some() { ChangeKind::Replaced } else { ChangeKind::Created };
            self.tell(tenant, id, change);
        }
        for (task, deleted) in &applied.deleted {
            self.forget_task(tenant, task, deleted);
        }
        self.0.scheduled.notify_one();
    }

    /// Has the runs that wait find what holds now.
    async fn resume_and_requeue(
        &self,
        tenant: &TenantId,
        plan: &ApplyPlan,
        applied: &Applied,
    ) -> Result<(), RunnerError> {
        for replaced in applied.replaced.iter().filter(|replaced| replaced.before.is_some()) {
            self.requeue(tenant, &replaced.task.definition.id).await?;
        }
        for plugin in plan.plugins.iter().filter(|plugin| plugin.version != PlannedVersion::Active) {
            // What is quarantined may be in use no longer.
            self.resume_released(tenant, &plugin.name).await?;
        }
        Ok(())
    }
}

/// A task is changed only if it is as it was when the plan was made.
fn task_change(planned: &PlannedTask) -> (innkeeper_store::NewTask, Precondition) {
    let demanded = match planned.before.as_ref().map(Task::tag) {
        Some(tag) => Precondition::Tagged(vec![tag]),
        None => Precondition::Absent,
    };
    (planned.after.clone(), demanded)
}

/// What is stored more than before.
fn usage(plan: &ApplyPlan, batch: &Batch) -> TenantUsage {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let bytes = batch.plugins.iter().map(|change| match &change.version {
        VersionChange::Store(version) => version.component.size(),
        VersionChange::Keep | VersionChange::Activate(_) => 0,
    });
    let values = plan.config.iter().map(|planned| count(planned.key.len() + planned.value.len()));
    let metadata = plan.tasks.iter().map(|task| metadata_bytes(&task.after));
    TenantUsage {
        tasks: count(plan.tasks.iter().filter(|task| task.before.is_none()).count()),
        plugins: count(plan.plugins.iter().filter(|plugin| plugin.tag.is_none()).count()),
        stored_bytes: bytes.chain(values).chain(metadata).fold(0, u64::saturating_add),
    }
}

fn not_uploaded(planned: &PlannedPlugin) -> RunnerError {
    let message = format!("the component `{}` of `{}` was not uploaded", planned.digest, planned.name);
    RunnerError::Invalid(vec![FieldError::new("plugins", "unknown_component", message)])
}
