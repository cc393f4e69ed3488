//! Many changes of a tenant in one transaction: all of them, or none.

use innkeeper_model::id::{Digest, PluginName, TaskId, TenantId};
use innkeeper_model::precondition::{Precondition, PreconditionFailed};
use innkeeper_model::rollout::Rollout;
use innkeeper_model::task::Task;
use innkeeper_model::time::Timestamp;
use rusqlite::Connection;

use crate::plugin_policy::PluginPolicy;
use crate::{
    Deleted, NewTask, PluginVersion, Preset, Replaced, Store, StoreError, StoredConfig, VersionChoice,
    config, control, plugin, plugin_policy, preset, rollout, task,
};

/// Changes that are made together, in the order of the fields.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Presets to add or to change; they are the same for all tenants.
    pub presets: Vec<Preset>,
    /// Plugins to add or to change.
    pub plugins: Vec<PluginChange>,
    /// Values to set and to delete.
    pub config: Vec<ConfigChange>,
    /// Tasks to store, each with what it must meet.
    pub tasks: Vec<(NewTask, Precondition)>,
    /// Tasks to delete, each with the tag that it must have; one that is gone already is none the worse for it.
    pub deleted_tasks: Vec<(TaskId, String)>,
    /// Plugins to delete; as with tasks, some may be gone.
    pub deleted_plugins: Vec<PluginName>,
}

/// How a configured value is to change.
#[derive(Clone)]
pub struct ConfigChange {
    /// Its key.
    pub key: String,
    /// What must be there; `None` is nothing.
    pub before: Option<StoredConfig>,
    /// What is to be there; `None` is nothing.
    pub value: Option<StoredConfig>,
}

impl std::fmt::Debug for ConfigChange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ConfigChange({}, ..)", self.key)
    }
}

/// How a plugin is to change.
#[derive(Debug, Clone)]
pub struct PluginChange {
    /// Its name.
    pub name: PluginName,
    /// What it must meet; its tag is its active digest.
    pub demanded: Precondition,
    /// Which version is to be the active one.
    pub version: VersionChange,
    /// What it must be able to use and reach before.
    pub policy_before: PluginPolicy,
    /// What it may use and reach from now on.
    pub policy: PluginPolicy,
}

/// Which version is to be the active one.
#[derive(Debug, Clone)]
pub enum VersionChange {
    /// The one that is.
    Keep,
    /// One that the plugin has already.
    Activate(Digest),
    /// A new one.
    Store(PluginVersion),
}

/// What was there before, of what others must be told.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// Every task that was stored, in the order of the batch.
    pub replaced: Vec<Replaced>,
    /// Every task that was deleted, and what went with it.
    pub deleted: Vec<(Task, Deleted)>,
}

impl Store {
    /// Makes all changes of a batch.
    ///
    /// # Errors
    /// [`StoreError::Precondition`] if something is not as demanded; [`StoreError::PluginMissing`] if a task names a handler
    /// that does not exist; [`StoreError::PluginInUse`] if a plugin that is to be deleted is needed. Then nothing is changed.
    pub async fn apply(
        &self,
        tenant: &TenantId,
        batch: Batch,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let tenant = tenant.clone();
        self.write(move |connection| apply(connection, &tenant, batch, now)).await
    }
}

fn apply(
    connection: &Connection,
    tenant: &TenantId,
    batch: Batch,
    now: Timestamp,
) -> Result<Applied, StoreError> {
    for preset in &batch.presets {
        preset::put(connection, preset)?;
    }
    for change in &batch.plugins {
        change_plugin(connection, tenant, change, now)?;
    }
    for change in batch.config {
        change_config(connection, tenant, change, now)?;
    }
    let mut applied = Applied::default();
    for (new, demanded) in &batch.tasks {
        applied.replaced.push(task::replace(connection, tenant, new, demanded)?);
    }
    for (id, tag) in &batch.deleted_tasks {
        let Some(before) = task::find(connection, tenant, id)? else { continue };
        Precondition::Tagged(vec![tag.clone()]).check(Some(&before.tag()))?;
        if let Some(deleted) = control::delete(connection, tenant, id, now)? {
            applied.deleted.push((before, deleted));
        }
    }
    for name in &batch.deleted_plugins {
        plugin::delete(connection, tenant, name)?;
    }
    Ok(applied)
}

fn change_config(
    connection: &Connection,
    tenant: &TenantId,
    change: ConfigChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    let ConfigChange { key, before, value } = change;
    if config::value(connection, tenant, &key)? != before {
        return Err(PreconditionFailed { current: Some(format!("config:{key}")) }.into());
    }
    match value {
        Some(value) => config::put(connection, tenant, &key, value, now).map(drop),
        None => config::delete(connection, tenant, &key).map(drop),
    }
}

fn change_plugin(
    connection: &Connection,
    tenant: &TenantId,
    change: &PluginChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    plugin::check(connection, tenant, &change.name, &change.demanded)?;
    let policy = plugin_policy::find(connection, tenant, &change.name)?.unwrap_or_default();
    if policy != change.policy_before {
        return Err(PreconditionFailed { current: Some(format!("plugin:{}", change.name)) }.into());
    }
    // What is granted is declared: what the version reaches for beyond that is denied, and nobody need be asked.
    let rollout = Rollout { accepts_denial: true, ..Rollout::default() };
    let exists = match &change.version {
        VersionChange::Keep => true,
        VersionChange::Store(version) => {
            rollout::put(connection, tenant, version, &rollout, now).map(|_| true)?
        }
        VersionChange::Activate(digest) => {
            let choice = VersionChoice::Digest(*digest);
            rollout::activate(connection, (tenant, &change.name), choice, &rollout, now)?.is_some()
        }
    };
    if exists && plugin_policy::set(connection, tenant, &change.name, &change.policy)? {
        return Ok(());
    }
    Err(StoreError::PluginMissing(change.name.to_string()))
}

#[cfg(test)]
mod tests {
    use innkeeper_model::upload::Upload;

    use super::*;
    use crate::{Durability, Location};

    fn version(name: &str) -> PluginChange {
        let component = Upload::from(name.as_bytes());
        let name: PluginName = name.parse().expect("a name");
        let version = PluginVersion {
            name: name.clone(),
            digest: component.digest(),
            handler: "plugin".to_owned(),
            imports: Vec::new(),
            uploaded_by: None,
            component,
        };
        PluginChange {
            name,
            demanded: Precondition::Absent,
            version: VersionChange::Store(version),
            policy_before: PluginPolicy::default(),
            policy: PluginPolicy::default(),
        }
    }

    #[tokio::test]
    async fn a_batch_is_done_whole_or_not_at_all() {
        let store = Store::open(&Location::Memory, Durability::Full).expect("a store");
        let (tenant, now) = (TenantId::default_tenant(), Timestamp::from_millis(5));
        let change = |before: Option<&str>, value: Option<&str>| {
            let [before, value] =
                [before, value].map(|text| text.map(|text| StoredConfig::Plain(text.to_owned())));
            vec![ConfigChange { key: "key".to_owned(), before, value }]
        };
        let first =
            Batch { plugins: vec![version("a")], config: change(None, Some("a")), ..Batch::default() };
        store.apply(&tenant, first.clone(), now).await.expect("it is done");
        // The second plugin of this one exists already, so the first is not made either.
        let second = Batch {
            plugins: vec![version("b"), version("a")],
            config: change(Some("a"), None),
            ..Batch::default()
        };
        let refused = store.apply(&tenant, second, now).await.expect_err("a refusal");
        assert!(matches!(refused, StoreError::Precondition(_)), "{refused}");
        let names = async || {
            let plugins = store.plugins(&tenant).await.expect("a list");
            plugins.into_iter().map(|plugin| plugin.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names().await, ["a"]);
        assert!(store.config_entry(&tenant, "key").await.expect("a read").is_some());
        let stale = PluginChange {
            demanded: Precondition::Present,
            version: VersionChange::Keep,
            policy_before: PluginPolicy { concurrency: Some(1), ..PluginPolicy::default() },
            ..version("a")
        };
        let stale = Batch { plugins: vec![stale], ..Batch::default() };
        let refused = store.apply(&tenant, stale, now).await.expect_err("somebody else changed its policy");
        assert!(matches!(refused, StoreError::Precondition(_)), "{refused}");
        let unknown = PluginChange {
            demanded: Precondition::Present,
            version: VersionChange::Activate(Digest::of(b"none")),
            ..version("a")
        };
        let unknown = Batch { plugins: vec![unknown], ..Batch::default() };
        let refused = store.apply(&tenant, unknown, now).await.expect_err("a refusal");
        assert!(matches!(refused, StoreError::PluginMissing(_)), "{refused}");
        let other = Batch { config: change(Some("b"), None), ..Batch::default() };
        let refused = store.apply(&tenant, other, now).await.expect_err("somebody else changed it");
        assert!(matches!(refused, StoreError::Precondition(_)), "{refused}");
        let third = Batch {
            config: change(Some("a"), None),
            deleted_plugins: vec!["a".parse().expect("a name")],
            ..Batch::default()
        };
        store.apply(&tenant, third, now).await.expect("it is done");
        assert!(names().await.is_empty());
    }
}
