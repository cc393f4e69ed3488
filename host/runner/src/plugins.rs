//! Uploading and looking up plugins.

use std::sync::Arc;

use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_model::precondition::Precondition;
use innkeeper_model::upload::Upload;
use innkeeper_store::{Plugin, PluginPolicy, PluginPut, PluginVersion, StoreError, TenantUsage};

use crate::error::RunnerError;
use crate::state::Shared;
use crate::task_runner::TaskRunner;

impl TaskRunner {
    /// Checks a component and makes it the plugin's active version.
    ///
    /// # Errors
    /// [`RunnerError::Refused`] if it is no plugin this host can run; [`RunnerError::QuotaExceeded`] if the tenant may not have
    /// it. Then nothing is kept.
    pub async fn push_plugin(
        &self,
        tenant: &TenantId,
        name: PluginName,
        component: Arc<[u8]>,
    ) -> Result<(Plugin, PluginPut), RunnerError> {
        self.push_plugin_if(tenant, name, component.into(), Precondition::None).await
    }

    /// As [`TaskRunner::push_plugin`], if the plugin is as `precondition` demands; its tag is its active digest.
    ///
    /// # Errors
    /// Also [`StoreError::Precondition`] if it is not.
    pub async fn push_plugin_if(
        &self,
        tenant: &TenantId,
        name: PluginName,
        component: Upload,
        precondition: Precondition,
    ) -> Result<(Plugin, PluginPut), RunnerError> {
        self.refuse_when_stopping()?;
        let kept = self.0.open_tenant(tenant)?;
        self.0.admit_upload(&kept)?;
        let is_new = self.0.store.plugin(tenant, &name).await?.is_none();
        let more = TenantUsage {
            plugins: u64::from(is_new),
            stored_bytes: component.size(),
            ..TenantUsage::default()
        };
        self.0.admit_stored(&kept, more).await?;
        let (plugin, put) = push(&self.0, tenant, name, component, precondition).await?;
        if put == PluginPut::Activated {
            kept.meters.add(more);
            // What is quarantined may be in use no longer.
            self.resume_released(tenant, &plugin.name).await?;
        }
        Ok((plugin, put))
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
        let component = self.0.store.component(tenant, &plugin.digest).await?;
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
        let deleted = self.0.store.delete_plugin(tenant, name, precondition).await?;
        self.0.policies.keep(tenant, name, PluginPolicy::default());
        if let Some(meters) = self.0.meters(tenant).filter(|_| deleted) {
            meters.plugin_deleted();
        }
        if deleted { Ok(()) } else { Err(self.no_such_plugin(tenant, name).await) }
    }
}

/// Has the sandbox check a component and, if it is good, stores it as the plugin's active version.
async fn push(
    shared: &Shared,
    tenant: &TenantId,
    name: PluginName,
    component: Upload,
    precondition: Precondition,
) -> Result<(Plugin, PluginPut), RunnerError> {
    if precondition != Precondition::None {
        // Compiling takes long: what is bound to be refused is refused before. It is checked again with the change.
        let active = shared.store.plugin(tenant, &name).await?.map(|plugin| plugin.digest.to_string());
        precondition.check(active.as_deref()).map_err(StoreError::from)?;
    }
    let admission = shared.sandbox.admit(component.clone()).await?;
    let version =
        PluginVersion { name: name.clone(), digest: admission.digest, imports: admission.imports, component };
    let put = shared.store.put_plugin(tenant, version, precondition, shared.clock.now()).await?;
    let digest = admission.digest;
    tracing::info!(%tenant, plugin = %name, %digest, changed = put == PluginPut::Activated, "plugin.pushed");
    let stored = shared.store.plugin(tenant, &name).await?;
    let plugin = stored.ok_or_else(|| RunnerError::not_found("plugin", &name))?;
    Ok((plugin, put))
}
