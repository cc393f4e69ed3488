//! What plugins may use and reach, kept in memory: it is asked for at every execution and changes rarely.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use innkeeper_model::grants::Grants;
use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_model::limits::{LimitWishes, Limits};
use innkeeper_model::task::{Overlap, TaskDefinition};
use innkeeper_store::{PluginPolicy, Store, StoreError};
use tokio::sync::{Mutex, MutexGuard};

use crate::error::RunnerError;
use crate::state::Shared;
use crate::task_runner::TaskRunner;

/// A policy as executions share it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) policy: PluginPolicy,
    pub(crate) grants: Arc<Grants>,
}

/// The policies of all plugins that have one.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    by_plugin: RwLock<HashMap<TenantId, HashMap<PluginName, Arc<Kept>>>>,
    none: Arc<Kept>,
    /// Changes of them are made one after the other.
    changes: Mutex<()>,
}

impl Policies {
    /// The policies that are stored.
    pub(crate) async fn load(store: &Store) -> Result<Self, StoreError> {
        let policies = Self::default();
        for (tenant, plugin, policy) in store.plugin_policies().await? {
            policies.keep(&tenant, &plugin, policy);
        }
        Ok(policies)
    }

    /// To be held from before a policy, or what decides about one, is read until what was written is kept here: by everybody
    /// who changes what plugins may use and reach.
    pub(crate) async fn one_by_one(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().await
    }

    /// The policy of a plugin; the empty one if nobody has set one.
    pub(crate) fn of(&self, tenant: &TenantId, plugin: &PluginName) -> Arc<Kept> {
        let policies = self.by_plugin.read().unwrap_or_else(PoisonError::into_inner);
        let kept = policies.get(tenant).and_then(|plugins| plugins.get(plugin));
        Arc::clone(kept.unwrap_or(&self.none))
    }

    /// Has executions that start from now on find these grants, beside all else as it is.
    pub(crate) fn keep_grants(&self, tenant: &TenantId, plugin: &PluginName, grants: Grants) {
        let policy = self.of(tenant, plugin).policy.clone();
        self.keep(tenant, plugin, PluginPolicy { grants, ..policy });
    }

    /// Has executions that start from now on find `policy`.
    pub(crate) fn keep(&self, tenant: &TenantId, plugin: &PluginName, policy: PluginPolicy) {
        let mut policies = self.by_plugin.write().unwrap_or_else(PoisonError::into_inner);
        let plugins = policies.entry(tenant.clone()).or_default();
        if policy == PluginPolicy::default() {
            plugins.remove(plugin);
            return;
        }
        let grants = Arc::new(policy.grants.clone());
        plugins.insert(plugin.clone(), Arc::new(Kept { policy, grants }));
    }

    /// Forgets the policies of a tenant that is gone.
    pub(crate) fn forget_tenant(&self, tenant: &TenantId) {
        self.by_plugin.write().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }
}

impl Shared {
    /// The narrowest of what the host, a tenant, a plugin and a task allow.
    pub(crate) fn limits(&self, tenant: &TenantId, plugin: &LimitWishes, task: &LimitWishes) -> Limits {
        let limits = self.tenants.find(tenant).map_or(self.config.limits, |kept| kept.limits);
        limits.narrowed(plugin).narrowed(task)
    }
}

impl TaskRunner {
    /// The limits of a task's executions, as they are enforced.
    #[must_use]
    pub fn limits_of(&self, tenant: &TenantId, definition: &TaskDefinition) -> Limits {
        let plugin = self.0.policies.of(tenant, &definition.plugin.name);
        self.0.limits(tenant, &plugin.policy.limits, &definition.limits)
    }

    /// The limits of a plugin's executions, as they are enforced on a task that asks for nothing.
    #[must_use]
    pub fn limits_of_plugin(&self, tenant: &TenantId, plugin: &PluginName) -> Limits {
        let kept = self.0.policies.of(tenant, plugin);
        self.0.limits(tenant, &kept.policy.limits, &LimitWishes::default())
    }

    /// Executions of a task at once, as they are enforced: the narrowest of what the host, the tenant, the plugin and the task
    /// allow.
    #[must_use]
    pub fn concurrency_of(&self, tenant: &TenantId, definition: &TaskDefinition) -> u32 {
        let one = (definition.overlap != Overlap::Allow).then_some(1);
        let caps = [one, definition.concurrency];
        let plugin = self.concurrency_of_plugin(tenant, &definition.plugin.name);
        caps.into_iter().flatten().fold(plugin, u32::min)
    }

    /// Executions of a plugin at once, as they are enforced: the narrowest of what the host, the tenant and the plugin allow.
    #[must_use]
    pub fn concurrency_of_plugin(&self, tenant: &TenantId, plugin: &PluginName) -> u32 {
        let of_tenant = self.tenant(tenant).ok().and_then(|view| view.quotas.concurrency);
        let caps = [of_tenant, self.0.policies.of(tenant, plugin).policy.concurrency];
        caps.into_iter().flatten().fold(self.0.config.concurrency, u32::min)
    }

    /// What a plugin may use and reach.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such plugin.
    pub async fn plugin_policy(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
    ) -> Result<PluginPolicy, RunnerError> {
        let policy = self.0.store.plugin_policy(tenant, plugin).await?;
        policy.ok_or_else(|| RunnerError::not_found("plugin", plugin))
    }

    /// Changes what a plugin may use and reach, for executions that start from now on, and gives all of it. Changes are made
    /// one after the other, so that none is lost.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such plugin.
    pub async fn change_plugin_policy(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
        change: impl FnOnce(&mut PluginPolicy) + Send + 'static,
    ) -> Result<PluginPolicy, RunnerError> {
        self.refuse_when_stopping()?;
        let (shared, tenant, plugin) = (Arc::clone(&self.0), tenant.clone(), plugin.clone());
        let work = async move {
            let _one = shared.policies.one_by_one().await;
            let not_found = || RunnerError::not_found("plugin", &plugin);
            let mut policy = shared.store.plugin_policy(&tenant, &plugin).await?.ok_or_else(not_found)?;
            change(&mut policy);
            if !shared.store.set_plugin_policy(&tenant, &plugin, policy.clone()).await? {
                return Err(not_found());
            }
            tracing::info!(%tenant, %plugin, "plugin.policy_set");
            shared.policies.keep(&tenant, &plugin, policy.clone());
            // It may have more executions than before.
            shared.plugin_has_room(&tenant, &plugin);
            Ok(policy)
        };
        self.0.finish(work).await
    }

    /// Replaces what a plugin may use and reach, for executions that start from now on.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such plugin.
    pub async fn set_plugin_policy(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
        policy: PluginPolicy,
    ) -> Result<(), RunnerError> {
        self.change_plugin_policy(tenant, plugin, |kept| *kept = policy).await.map(drop)
    }

    /// Replaces what a plugin may reach, for executions that start from now on, and leaves its limits.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such plugin.
    pub async fn set_plugin_grants(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
        grants: Grants,
    ) -> Result<(), RunnerError> {
        self.change_plugin_policy(tenant, plugin, |kept| kept.grants = grants).await.map(drop)
    }
}
