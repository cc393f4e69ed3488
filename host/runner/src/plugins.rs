//! Uploading and looking up plugins.

use std::sync::Arc;

use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_model::precondition::Precondition;
use innkeeper_store::{Plugin, PluginPolicy};

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;
use crate::versions::Deployment;

#[cfg(doc)]
use innkeeper_store::StoreError;

impl TaskRunner {
    /// Checks a component and makes it the plugin's active version.
    ///
    /// # Errors
    /// As [`TaskRunner::deploy`].
    pub async fn push_plugin(
        &self,
        tenant: &TenantId,
        name: PluginName,
        component: Arc<[u8]>,
    ) -> Result<Plugin, RunnerError> {
        Ok(self.deploy(tenant, name, component.into(), Deployment::default()).await?.plugin)
    }

    /// The plugin of this name.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none.
    pub async fn plugin(&self, tenant: &TenantId, name: &PluginName) -> Result<Plugin, RunnerError> {
        match self.0.store.plugin(tenant, name).await? {
            Some(plugin) => Ok(plugin),
            None => Err(self.no_such_plugin(tenant, name).await),
        }
    }

    /// The bytes of a plugin's active version.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such plugin.
    pub async fn component(&self, tenant: &TenantId, name: &PluginName) -> Result<Arc<[u8]>, RunnerError> {
        let plugin = self.plugin(tenant, name).await?;
        let Some(digest) = plugin.digest else {
            return Err(RunnerError::not_found("active version of the plugin", name));
        };
        let component = self.0.store.component(tenant, &digest).await?;
        component.ok_or_else(|| RunnerError::not_found("plugin", name))
    }

    /// Every plugin of the tenant, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plugins(&self, tenant: &TenantId) -> Result<Vec<Plugin>, RunnerError> {
        Ok(self.0.store.plugins(tenant).await?)
    }

    /// Deletes a plugin with its versions.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none; [`innkeeper_store::StoreError::PluginInUse`] if tasks name it.
    pub async fn delete_plugin(&self, tenant: &TenantId, name: &PluginName) -> Result<(), RunnerError> {
        self.delete_plugin_if(tenant, name, Precondition::None).await
    }

    /// As [`TaskRunner::delete_plugin`], if the plugin is as `precondition` demands.
    ///
    /// # Errors
    /// Also [`StoreError::Precondition`] if it is not.
    pub async fn delete_plugin_if(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        precondition: Precondition,
    ) -> Result<(), RunnerError> {
        let (shared, of) = (Arc::clone(&self.0), (tenant.clone(), name.clone()));
        let work = async move {
            let (tenant, name) = of;
            let _one = shared.policies.one_by_one().await;
            let deleted = shared.store.delete_plugin(&tenant, &name, precondition).await?;
            shared.policies.keep(&tenant, &name, PluginPolicy::default());
            if let Some(meters) = shared.meters(&tenant).filter(|_| deleted) {
                meters.plugin_deleted();
            }
            Ok(deleted)
        };
        if self.0.finish(work).await? { Ok(()) } else { Err(self.no_such_plugin(tenant, name).await) }
    }
}
