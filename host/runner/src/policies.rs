//! What plugins may use and reach, kept in memory: it is asked for at every execution and changes rarely.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use innkeeper_model::grants::Grants;
use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_model::limits::{LimitWishes, Limits};
use innkeeper_model::task::TaskDefinition;
use innkeeper_store::{PluginPolicy, Store, StoreError};

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

    /// The policy of a plugin; the empty one if nobody has set one.
    pub(crate) fn of(&self, tenant: &TenantId, plugin: &PluginName) -> Arc<Kept> {
        let policies = self.by_plugin.read().unwrap_or_else(PoisonError::into_inner);
        let kept = policies.get(tenant).and_then(|plugins| plugins.get(plugin));
        Arc::clone(kept.unwrap_or(&self.none))
    }

    /// Has executions that start from now on find these grants, beside the limits as they are.
    pub(crate) fn keep_grants(&self, tenant: &TenantId, plugin: &PluginName, grants: Grants) {
        let limits = self.of(tenant, plugin).policy.limits;
        self.keep(tenant, plugin, PluginPolicy { limits, grants });
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
        self.refuse_when_stopping()?;
        let (shared, tenant, plugin) = (Arc::clone(&self.0), tenant.clone(), plugin.clone());
        let work = async move {
            if !shared.store.set_plugin_policy(&tenant, &plugin, policy.clone()).await? {
                return Err(RunnerError::not_found("plugin", &plugin));
            }
            tracing::info!(%tenant, %plugin, "plugin.policy_set");
            shared.policies.keep(&tenant, &plugin, policy);
            Ok(())
        };
        self.0.finish(work).await
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
        self.refuse_when_stopping()?;
        let (shared, tenant, plugin) = (Arc::clone(&self.0), tenant.clone(), plugin.clone());
        let work = async move {
            if !shared.store.set_plugin_grants(&tenant, &plugin, grants.clone()).await? {
                return Err(RunnerError::not_found("plugin", &plugin));
            }
            tracing::info!(%tenant, %plugin, "plugin.grants_set");
            shared.policies.keep_grants(&tenant, &plugin, grants);
            Ok(())
        };
        self.0.finish(work).await
    }
}
