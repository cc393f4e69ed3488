//! Versions of plugins: which there are, and which new runs use. Runs that are recorded stay on theirs unless they are moved.

use innkeeper_model::id::{Digest, PluginName, TenantId, UploadId};
use innkeeper_model::precondition::Precondition;
use innkeeper_model::rollout::{Changes, Rollout};
use innkeeper_model::sandbox::Report;
use innkeeper_model::upload::Upload;
use innkeeper_store::{
    Deployed, Plugin, PluginVersion, StoreError, StoredVersion, TenantUsage, UploadRecord, VersionChoice,
};

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;
use crate::trial::Sample;

/// How a component is to become a version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deployment {
    /// How the version takes effect.
    pub rollout: Rollout,
    /// What must be so; the plugin's tag is [`Plugin::tag`].
    pub precondition: Precondition,
    /// Who uploads it, for people.
    pub uploaded_by: Option<String>,
}

/// A version that was stored or activated.
#[derive(Debug, Clone, PartialEq)]
pub struct RolledOut {
    /// The plugin as it is now.
    pub plugin: Plugin,
    /// The version.
    pub version: StoredVersion,
    /// What became of it.
    pub deployed: Deployed,
    /// How it did with the sample, if there was one.
    pub trial: Option<Report>,
}

impl TaskRunner {
    /// Checks a component, stores it as a version, and has it take effect as `deployment` says.
    ///
    /// # Errors
    /// [`RunnerError::Refused`] if it is no plugin this host can run; [`RunnerError::QuotaExceeded`] if the tenant may not have
    /// it; [`StoreError::Precondition`] and [`StoreError::GrantsNeeded`]. Then nothing is kept.
    pub async fn deploy(
        &self,
        tenant: &TenantId,
        name: PluginName,
        component: Upload,
        deployment: Deployment,
    ) -> Result<RolledOut, RunnerError> {
        self.refuse_when_stopping()?;
        let kept = self.0.open_tenant(tenant)?;
        self.0.admit_upload(&kept)?;
        let before = self.0.store.plugin(tenant, &name).await?;
        let more = TenantUsage {
            plugins: u64::from(before.is_none()),
            stored_bytes: component.size(),
            ..TenantUsage::default()
        };
        self.0.admit_stored(&kept, more).await?;
        let Deployment { rollout, precondition, uploaded_by } = deployment;
        // Compiling takes long: what is bound to be refused is refused before. It is checked again with the change.
        precondition.check(before.map(|plugin| plugin.tag()).as_deref()).map_err(StoreError::from)?;
        let admission = self.0.sandbox.admit(component.clone()).await?;
        let (digest, handler, imports) = (admission.digest, admission.handler, admission.imports);
        let version = PluginVersion { name: name.clone(), digest, handler, imports, uploaded_by, component };
        let (runner, tenant) = (self.clone(), tenant.clone());
        let work = async move {
            let now = runner.now();
            let store = &runner.0.store;
            let _one = runner.0.policies.one_by_one().await;
            let deployed = store.put_plugin(&tenant, version, rollout.clone(), precondition, now).await?;
            if deployed.is_new {
                kept.meters.add(more);
            }
            runner.rolled_out(&tenant, &name, &rollout, deployed, None).await
        };
        self.0.finish(work).await
    }

    /// Makes a stored version the active one, if it does well with `sample`.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such plugin, or it has no such version; [`StoreError::GrantsNeeded`];
    /// [`RunnerError::TrialFailed`]. Then nothing is changed.
    pub async fn activate_version(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        choice: VersionChoice,
        rollout: Rollout,
        sample: Option<Sample>,
    ) -> Result<RolledOut, RunnerError> {
        self.refuse_when_stopping()?;
        let plugin = self.plugin(tenant, name).await?;
        let Some(version) = self.0.store.plugin_version(tenant, name, choice).await? else {
            return Err(match choice {
                VersionChoice::Digest(digest) => RunnerError::not_found("version", &digest),
                VersionChoice::Previous => RunnerError::not_found("version before", &plugin.tag()),
            });
        };
        self.compare(tenant, name, &version, &rollout).await?;
        let trial = match sample {
            Some(sample) => {
                let mut grants = (*self.0.policies.of(tenant, name).grants).clone();
                grants.extend(&rollout.allow);
                Some(self.try_version(tenant, name, version.digest, &sample, grants).await?)
            }
            None => None,
        };
        let (runner, tenant, name) = (self.clone(), tenant.clone(), name.clone());
        let work = async move {
            let (store, choice) = (&runner.0.store, VersionChoice::Digest(version.digest));
            let _one = runner.0.policies.one_by_one().await;
            let deployed =
                store.activate_version(&tenant, &name, choice, rollout.clone(), runner.now()).await?;
            let deployed = deployed.ok_or_else(|| RunnerError::not_found("version", &version.digest))?;
            runner.rolled_out(&tenant, &name, &rollout, deployed, trial).await
        };
        self.0.finish(work).await
    }

    /// What is bound to be refused is refused before it costs anything.
    async fn compare(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        version: &StoredVersion,
        rollout: &Rollout,
    ) -> Result<Changes, RunnerError> {
        Ok(self.0.store.compare_version(tenant, name, version.facts(), rollout.clone()).await?)
    }

    /// Does what follows from a version that was stored or activated.
    async fn rolled_out(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        rollout: &Rollout,
        deployed: Deployed,
        trial: Option<Report>,
    ) -> Result<RolledOut, RunnerError> {
        let (digest, migrated) = (deployed.digest, deployed.migrated);
        let (is_new, is_active) = (deployed.is_new, deployed.is_activated);
        tracing::info!(%tenant, plugin = %name, %digest, is_new, is_active, migrated, "plugin.rolled_out");
        if rollout.activates {
            self.0.policies.keep_grants(tenant, name, deployed.grants.clone());
            // What is quarantined may be in use no longer.
            self.resume_released(tenant, name).await?;
            if migrated > 0 {
                self.0.let_suspects_start();
            }
        }
        let plugin = self.plugin(tenant, name).await?;
        let version = self.plugin_version(tenant, name, digest).await?;
        Ok(RolledOut { plugin, version, deployed, trial })
    }

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
        if versions.is_empty() { Err(self.no_such_plugin(tenant, name).await) } else { Ok(versions) }
    }

    /// One version of a plugin.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none of this digest.
    pub async fn plugin_version(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        digest: Digest,
    ) -> Result<StoredVersion, RunnerError> {
        let version = self.0.store.plugin_version(tenant, name, VersionChoice::Digest(digest)).await?;
        version.ok_or_else(|| RunnerError::not_found("version", &digest))
    }

    /// Deletes a version that nobody needs.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none of this digest; [`StoreError::VersionInUse`] if it is active, the only one,
    /// or needed by tasks or runs.
    pub async fn delete_version(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        digest: Digest,
    ) -> Result<(), RunnerError> {
        let deleted = self.0.store.delete_version(tenant, name, digest).await?;
        tracing::info!(%tenant, plugin = %name, %digest, deleted, "plugin.version_deleted");
        if deleted { Ok(()) } else { Err(RunnerError::not_found("version", &digest)) }
    }

    /// Notes that an upload goes on whose caller does not wait for it. If the host stops meanwhile, the next one finds it
    /// interrupted.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn begin_upload(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        digest: Digest,
    ) -> Result<UploadId, RunnerError> {
        self.refuse_when_stopping()?;
        self.0.open_tenant(tenant)?;
        let id = self.0.ids.next(UploadId::new);
        self.0.store.begin_upload(tenant, name, digest, id, self.now()).await?;
        Ok(id)
    }

    /// Notes what such an upload came to: a status and a body, as it would have been answered with.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn end_upload(
        &self,
        tenant: &TenantId,
        id: UploadId,
        answer: (u16, String),
    ) -> Result<(), RunnerError> {
        Ok(self.0.store.end_upload(tenant, id, answer, self.now()).await?)
    }

    /// The latest such upload of a version, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn upload(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        digest: Digest,
    ) -> Result<Option<UploadRecord>, RunnerError> {
        Ok(self.0.store.upload(tenant, name, digest).await?)
    }
}
