//! Disabling, enabling and deleting tenants: what takes more than one transaction, and goes on after a restart.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::id::TenantId;
use innkeeper_model::problem::FieldError;
use innkeeper_model::sandbox::StopReason;
use innkeeper_model::tenant::{Tenant, TenantStatus};

use crate::error::RunnerError;
use crate::state::Shared;
use crate::task_runner::TaskRunner;
use crate::tenants::TenantView;

/// Rows changed in one transaction: others are to write in between.
const STEP_ROWS: u32 = 500;

/// How long executions that were told to stop are given before it is looked again.
const STOP_PAUSE: Duration = Duration::from_millis(10);

impl TaskRunner {
    /// Has nothing of a tenant run any more, and takes nothing from it. What runs is interrupted and put back. Returns when
    /// nothing runs.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such tenant.
    pub async fn disable_tenant(&self, id: &TenantId) -> Result<TenantView, RunnerError> {
        let (runner, id) = (self.clone(), id.clone());
        let work = async move {
            let _one = runner.0.tenant_changes.lock().await;
            runner.move_to(&id, TenantStatus::Disabled).await?;
            stop_running(&runner.0, &id, StopReason::Interrupted).await?;
            hold(&runner.0, &id).await?;
            runner.tenant(&id)
        };
        self.0.finish(work).await
    }

    /// Lets a disabled tenant run again. Due times that passed meanwhile are decided as those that a host misses which is
    /// not there.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such tenant.
    pub async fn enable_tenant(&self, id: &TenantId) -> Result<TenantView, RunnerError> {
        let (runner, id) = (self.clone(), id.clone());
        let work = async move {
            let _one = runner.0.tenant_changes.lock().await;
            runner.move_to(&id, TenantStatus::Active).await?;
            release(&runner.0, &id).await?;
            runner.tenant(&id)
        };
        self.0.finish(work).await
    }

    /// Deletes a tenant with everything it owns: cancels what runs, then deletes its rows step by step. Returns when all is
    /// gone. If the runner stops meanwhile, its next start goes on.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such tenant; [`RunnerError::Invalid`] if it is the default one;
    /// [`RunnerError::ShuttingDown`] if the runner stopped before all was gone.
    pub async fn delete_tenant(&self, id: &TenantId) -> Result<(), RunnerError> {
        if *id == TenantId::default_tenant() {
            let message = "is the default tenant, which every host has; disable it instead";
            return Err(RunnerError::Invalid(vec![FieldError::new("id", "default_tenant", message)]));
        }
        let (runner, id) = (self.clone(), id.clone());
        let work = async move {
            let changes = runner.0.tenant_changes.lock().await;
            runner.move_to(&id, TenantStatus::Deleting).await?;
            drop(changes);
            delete(&runner.0, &id).await
        };
        self.0.finish(work).await
    }

    async fn move_to(&self, id: &TenantId, status: TenantStatus) -> Result<(), RunnerError> {
        let shared = &self.0;
        let missing = || RunnerError::not_found("tenant", id);
        let kept = shared.tenants.find(id).ok_or_else(missing)?;
        if !shared.store.set_tenant_status(id, status).await? {
            return Err(missing());
        }
        shared.tenants.keep(Tenant { status, ..kept.tenant.clone() }, &shared.config);
        shared.share_slots();
        tracing::info!(tenant = %id, status = status.as_str(), "tenant.status_changed");
        Ok(())
    }
}

/// Goes on with what an earlier runner did not finish.
pub(crate) async fn resume(shared: Arc<Shared>) {
    for kept in shared.tenants.all() {
        let id = &kept.tenant.id;
        let resumed = match kept.tenant.status {
            TenantStatus::Active => release(&shared, id).await,
            TenantStatus::Disabled => hold(&shared, id).await,
            TenantStatus::Deleting => delete(&shared, id).await,
        };
        match resumed {
            Ok(()) => {}
            Err(RunnerError::ShuttingDown) => return,
            Err(error) => tracing::error!(tenant = %id, %error, "tenant.resume failed"),
        }
    }
}

/// Tells what runs to stop, until nothing does.
async fn stop_running(shared: &Shared, id: &TenantId, reason: StopReason) -> Result<(), RunnerError> {
    loop {
        let running = shared.store.running_executions(id).await?;
        for execution in &running {
            shared.running.stop(execution, reason);
        }
        if running.is_empty() && shared.lock_queue().load(id).0 == 0 {
            return Ok(());
        }
        pause(shared).await?;
    }
}

async fn pause(shared: &Shared) -> Result<(), RunnerError> {
    tokio::select! {
        () = shared.stopping.cancelled() => Err(RunnerError::ShuttingDown),
        () = tokio::time::sleep(STOP_PAUSE) => Ok(()),
    }
}

async fn hold(shared: &Shared, id: &TenantId) -> Result<(), RunnerError> {
    let mut last = shared.store.hold_schedules(id, None, STEP_ROWS).await?;
    while last.is_some() {
        refuse_when_stopping(shared)?;
        last = shared.store.hold_schedules(id, last, STEP_ROWS).await?;
    }
    Ok(())
}

async fn release(shared: &Shared, id: &TenantId) -> Result<(), RunnerError> {
    while shared.store.release_schedules(id, STEP_ROWS).await? > 0 {
        refuse_when_stopping(shared)?;
    }
    shared.scheduled.notify_one();
    Ok(())
}

async fn delete(shared: &Shared, id: &TenantId) -> Result<(), RunnerError> {
    shared.tokens.forget_tenant(id);
    shared.staged.forget_tenant(id);
    stop_running(shared, id, StopReason::Cancelled).await?;
    shared.lock_queue().forget_tenant(id);
    shared.policies.forget_tenant(id);
    shared.suspects.forget_tenant(id);
    shared.plugin_lines.forget_tenant(id);
    shared.forget_listeners(id);
    shared.bus.forget_tenant(id);
    while !shared.store.delete_tenant_step(id, STEP_ROWS).await? {
        refuse_when_stopping(shared)?;
    }
    shared.tenants.forget(id);
    shared.lock_queue().forget_tenant(id);
    shared.share_slots();
    tracing::info!(tenant = %id, "tenant.deleted");
    Ok(())
}

fn refuse_when_stopping(shared: &Shared) -> Result<(), RunnerError> {
    if shared.stopping.is_cancelled() { Err(RunnerError::ShuttingDown) } else { Ok(()) }
}
