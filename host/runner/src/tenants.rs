//! Tenants, kept in memory: they are asked for at every request and every execution, and change rarely.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use innkeeper_model::id::TenantId;
use innkeeper_model::limits::Limits;
use innkeeper_model::problem::FieldError;
use innkeeper_model::quota::Quotas;
use innkeeper_model::tenant::{Tenant, TenantSettings, TenantStatus, WEIGHT_MAX, default_concurrency};
use innkeeper_schedule::zone::Zone;
use innkeeper_store::{Store, StoreError};

use crate::config::RunnerConfig;
use crate::error::RunnerError;
use crate::queue::Share;
use crate::quotas::Meters;
use crate::state::Shared;
use crate::task_runner::TaskRunner;

/// A tenant as requests and executions share it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) tenant: Tenant,
    /// What one execution of it may use: the narrower of the host's limits and its own.
    pub(crate) limits: Limits,
    pub(crate) quotas: Quotas,
    /// The zone of its tasks that name none; `None` means the host's.
    pub(crate) timezone: Option<Zone>,
    pub(crate) meters: Arc<Meters>,
}

/// All tenants.
#[derive(Debug, Default)]
pub(crate) struct Tenants(RwLock<HashMap<TenantId, Arc<Kept>>>);

impl Tenants {
    /// The tenants that are stored.
    pub(crate) async fn load(store: &Store, config: &RunnerConfig) -> Result<Self, StoreError> {
        let tenants = Self::default();
        for tenant in store.tenants().await? {
            tenants.keep(tenant, config);
        }
        Ok(tenants)
    }

    /// The tenant of this name.
    pub(crate) fn find(&self, id: &TenantId) -> Option<Arc<Kept>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Every tenant, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Kept>> {
        let mut all: Vec<_> =
            self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_unstable_by(|one, other| one.tenant.id.cmp(&other.tenant.id));
        all
    }

    /// Has what starts from now on find `tenant`. What was metered of it stays.
    pub(crate) fn keep(&self, tenant: Tenant, config: &RunnerConfig) {
        let mut tenants = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let meters = tenants.get(&tenant.id).map(|kept| Arc::clone(&kept.meters)).unwrap_or_default();
        let timezone =
            tenant.settings.timezone.as_ref().and_then(|name| config.timezone_data.zone(name).ok());
        let kept = Kept {
            limits: config.limits.narrowed(&tenant.settings.limits),
            quotas: config.quotas.overridden(&tenant.settings.quotas),
            timezone,
            meters,
            tenant,
        };
        tenants.insert(kept.tenant.id.clone(), Arc::new(kept));
    }

    pub(crate) fn forget(&self, id: &TenantId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// A tenant, as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantView {
    /// The tenant.
    pub tenant: Tenant,
    /// The limits of its executions, as they are enforced.
    pub limits: Limits,
    /// Its quotas, as they are enforced; `concurrency` is never `None`.
    pub quotas: Quotas,
    /// Executions of it that run now, or are about to.
    pub running: u32,
    /// Runs of it that wait.
    pub queued_runs: u64,
}

impl Shared {
    /// The tenant, if something of it may be taken and run.
    pub(crate) fn open_tenant(&self, id: &TenantId) -> Result<Arc<Kept>, RunnerError> {
        match self.tenants.find(id) {
            Some(kept) if kept.tenant.status == TenantStatus::Active => Ok(kept),
            Some(kept) if kept.tenant.status == TenantStatus::Disabled => {
                Err(RunnerError::TenantDisabled(id.clone()))
            }
            _ => Err(RunnerError::not_found("tenant", id)),
        }
    }

    /// Gives every tenant its share of the slots, which depends on how many tenants there are.
    pub(crate) fn share_slots(&self) {
        let tenants = self.tenants.all();
        let mut queue = self.lock_queue();
        for kept in &tenants {
            queue.set_share(&kept.tenant.id, self.share_of(kept, tenants.len()));
        }
        drop(queue);
        self.queued.notify_one();
    }

    fn share_of(&self, kept: &Kept, tenants: usize) -> Share {
        let most =
            kept.quotas.concurrency.unwrap_or_else(|| default_concurrency(self.config.concurrency, tenants));
        let is_active = kept.tenant.status == TenantStatus::Active;
        Share { weight: kept.tenant.settings.weight, concurrency: if is_active { most } else { 0 } }
    }
}

impl TaskRunner {
    /// Every tenant, by name. One that is being deleted is among them.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantView> {
        let all = self.0.tenants.all();
        all.iter().map(|kept| self.view(kept, all.len())).collect()
    }

    /// The tenant of this name.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none.
    pub fn tenant(&self, id: &TenantId) -> Result<TenantView, RunnerError> {
        let kept = self.0.tenants.find(id).ok_or_else(|| RunnerError::not_found("tenant", id))?;
        Ok(self.view(&kept, self.0.tenants.all().len()))
    }

    /// The zone of a tenant's tasks that name none.
    #[must_use]
    pub fn timezone_of(&self, id: &TenantId) -> Zone {
        let own = self.0.tenants.find(id).and_then(|kept| kept.timezone.clone());
        own.unwrap_or_else(|| self.config().timezone.clone())
    }

    /// Where a tenant stands; `None` if there is none of this name.
    #[must_use]
    pub fn tenant_status(&self, id: &TenantId) -> Option<TenantStatus> {
        self.0.tenants.find(id).map(|kept| kept.tenant.status)
    }

    /// Adds a tenant.
    ///
    /// # Errors
    /// [`RunnerError::TenantExists`] if the name is taken; [`RunnerError::Invalid`] with everything that is wrong with the
    /// settings.
    pub async fn create_tenant(
        &self,
        id: TenantId,
        settings: TenantSettings,
    ) -> Result<TenantView, RunnerError> {
        self.refuse_when_stopping()?;
        self.check_settings(&settings)?;
        let tenant = Tenant { id, status: TenantStatus::Active, created_at: self.now(), settings };
        let runner = self.clone();
        let work = async move {
            let shared = &runner.0;
            let id = tenant.id.clone();
            if !shared.store.create_tenant(tenant.clone()).await? {
                return Err(RunnerError::TenantExists(id));
            }
            shared.tenants.keep(tenant, &shared.config);
            shared.share_slots();
            tracing::info!(tenant = %id, "tenant.created");
            runner.tenant(&id)
        };
        self.0.finish(work).await
    }

    /// Replaces what is set for a tenant, for what starts from now on.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such tenant; [`RunnerError::Invalid`] with everything that is wrong with the
    /// settings.
    pub async fn set_tenant(
        &self,
        id: &TenantId,
        settings: TenantSettings,
    ) -> Result<TenantView, RunnerError> {
        self.check_settings(&settings)?;
        let (runner, id) = (self.clone(), id.clone());
        let work = async move {
            let shared = &runner.0;
            let _one = shared.tenant_changes.lock().await;
            let kept = shared.tenants.find(&id).ok_or_else(|| RunnerError::not_found("tenant", &id))?;
            if !shared.store.set_tenant(&id, settings.clone()).await? {
                return Err(RunnerError::not_found("tenant", &id));
            }
            shared.tenants.keep(Tenant { settings, ..kept.tenant.clone() }, &shared.config);
            shared.share_slots();
            tracing::info!(tenant = %id, "tenant.changed");
            runner.tenant(&id)
        };
        self.0.finish(work).await
    }

    fn check_settings(&self, settings: &TenantSettings) -> Result<(), RunnerError> {
        let mut problems = Vec::new();
        if !(1..=WEIGHT_MAX).contains(&settings.weight) {
            let message = format!("is {}; must be 1 to {WEIGHT_MAX}", settings.weight);
            problems.push(FieldError::new("weight", "out_of_range", message));
        }
        if settings.quotas.concurrency == Some(0) {
            let message = "must be at least 1; disable the tenant to have nothing of it run";
            problems.push(FieldError::new("quotas.concurrency", "out_of_range", message));
        }
        let zone = settings.timezone.as_ref().map(|name| self.0.config.timezone_data.zone(name));
        if let Some(Err(error)) = zone {
            problems.push(FieldError::new("timezone", "unknown_timezone", error.to_string()));
        }
        if problems.is_empty() { Ok(()) } else { Err(RunnerError::Invalid(problems)) }
    }

    fn view(&self, kept: &Kept, tenants: usize) -> TenantView {
        let queue = self.0.lock_queue();
        let id = &kept.tenant.id;
        let default = default_concurrency(self.0.config.concurrency, tenants);
        TenantView {
            tenant: kept.tenant.clone(),
            limits: kept.limits,
            quotas: Quotas { concurrency: kept.quotas.concurrency.or(Some(default)), ..kept.quotas },
            running: queue.load(id).0,
            queued_runs: queue.waiting(id),
        }
    }
}
