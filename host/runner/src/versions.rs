//! Versions of plugins: which there are, and which new runs use. Runs that are recorded stay on theirs.

use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_store::{Plugin, StoredVersion, VersionChoice};

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

impl TaskRunner {
    /// The versions of a plugin, the latest upload first.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such plugin.
    pub async fn plugin_versions(
        &self,
        tenant: &TenantId,
        name: &PluginName,
    ) -> Result<Vec<StoredVersion>, RunnerError> {
        let versions = self.0.store.plugin_versions(tenant, name).await?;
        if versions.is_empty() { Err(RunnerError::not_found("plugin", name)) } else { Ok(versions) }
    }

    /// Makes a stored version the active one.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such plugin, or it has no such version.
    pub async fn activate_version(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        choice: VersionChoice,
    ) -> Result<Plugin, RunnerError> {
        let plugin = self.plugin(tenant, name).await?;
        let activated = self.0.store.activate_version(tenant, name, choice, self.0.clock.now()).await?;
        let Some(digest) = activated else {
            return Err(match choice {
                VersionChoice::Digest(digest) => RunnerError::not_found("version", &digest),
                VersionChoice::Previous => RunnerError::not_found("version before", &plugin.digest),
            });
        };
        tracing::info!(%tenant, plugin = %name, %digest, from = %plugin.digest, "plugin.activated");
        self.plugin(tenant, name).await
    }
}
