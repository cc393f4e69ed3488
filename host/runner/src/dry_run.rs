//! Trying out: what a definition would become, and whether a component would be taken, without keeping anything of it.

use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_model::precondition::Precondition;
use innkeeper_model::problem::FieldError;
use innkeeper_model::rollout::{Changes, Rollout, VersionFacts};
use innkeeper_model::sandbox::Admission;
use innkeeper_model::task::{Task, TaskStatus};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::upload::Upload;
use innkeeper_store::{NewTask, StoreError};

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

impl TaskRunner {
    /// The task that would be stored for a config. Handlers named in `assumed` need not exist: they are about to be pushed.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] with every problem of the config; [`StoreError::Precondition`] if the task is not as demanded.
    pub async fn try_task(
        &self,
        tenant: &TenantId,
        config: TaskConfig,
        assumed: &[PluginName],
        precondition: &Precondition,
    ) -> Result<Task, RunnerError> {
        let new = self.check(tenant, config, assumed).await?;
        let before = self.0.store.task(tenant, &new.definition.id).await?;
        let new = self.in_place_of(before.as_ref(), new)?;
        precondition.check(before.as_ref().map(Task::tag).as_deref()).map_err(StoreError::from)?;
        Ok(as_task(new))
    }

    /// Everything that is wrong with a task whose form is wrong already, as far as it could be read.
    pub async fn task_problems(
        &self,
        tenant: &TenantId,
        config: TaskConfig,
        form: Vec<FieldError>,
    ) -> Vec<FieldError> {
        match self.check(tenant, config, &[]).await {
            Err(RunnerError::Invalid(meaning)) => TaskConfig::all_problems(form, meaning),
            // What cannot be looked up is found when the form is right.
            _ => form,
        }
    }

    /// What admitting a component would find, and what would be different about it as a version of the plugin; nothing is
    /// stored of it.
    ///
    /// # Errors
    /// [`RunnerError::Refused`] if it is no plugin this host can run; [`StoreError::GrantsNeeded`] as with
    /// [`TaskRunner::deploy`].
    pub async fn try_plugin(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        component: Upload,
        rollout: Rollout,
    ) -> Result<(Admission, Changes), RunnerError> {
        self.refuse_when_stopping()?;
        // It costs a compilation, as an upload does.
        let kept = self.0.open_tenant(tenant)?;
        self.0.admit_upload(&kept)?;
        let size = component.size();
        let admission = self.0.sandbox.admit(component).await?;
        let facts = VersionFacts {
            digest: admission.digest,
            size,
            handler: Some(admission.handler.clone()),
            imports: admission.imports.clone(),
        };
        let changes = self.0.store.compare_version(tenant, name, facts, rollout).await?;
        Ok((admission, changes))
    }
}

/// A task that has not begun.
pub(crate) fn as_task(new: NewTask) -> Task {
    let NewTask { definition, next_run_at, skipped: _, created_at } = new;
    let status = if definition.is_paused { TaskStatus::Paused } else { TaskStatus::Pending };
    Task {
        definition,
        status,
        next_run_at,
        cursor: None,
        last_run_at: None,
        attempts: 0,
        rate_count: 0,
        rate_window: None,
        pause_reason: None,
        overdue_since: None,
        created_at,
        revision: 1,
    }
}
