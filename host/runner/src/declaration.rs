//! What somebody declares a tenant to have, and what has to change for it to be so.

use innkeeper_model::grants::Grants;
use innkeeper_model::id::{Digest, PluginName, TaskId};
use innkeeper_model::limits::LimitWishes;
use innkeeper_model::task::Task;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_store::{NewTask, PluginPolicy, Preset, StoredConfig};

/// What a tenant is to have.
#[derive(Debug, Clone, Default)]
pub struct Declaration {
    /// Presets. They are the same for all tenants.
    pub presets: Vec<Preset>,
    /// Plugins.
    pub plugins: Vec<DeclaredPlugin>,
    /// Configured values.
    pub config: Vec<DeclaredValue>,
    /// Tasks.
    pub tasks: Vec<DeclaredTask>,
    /// Whether tasks, plugins and values that are not declared are to go.
    pub prune: bool,
}

/// A plugin as it is declared.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredPlugin {
    /// Its name.
    pub name: PluginName,
    /// The version that is to be active.
    pub digest: Digest,
    /// What it may reach; `None` leaves that alone.
    pub grants: Option<Grants>,
    /// Limits of its executions, and how many there may be at once; `None` leaves both alone.
    pub limits: Option<(LimitWishes, Option<u32>)>,
}

/// A value as it is declared.
#[derive(Clone, PartialEq, Eq)]
pub struct DeclaredValue {
    /// Its key.
    pub key: String,
    /// Its text; `None` leaves a secret that is there alone.
    pub value: Option<String>,
    /// Whether it is a secret.
    pub is_secret: bool,
}

impl std::fmt::Debug for DeclaredValue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "DeclaredValue({}, ..)", self.key)
    }
}

/// A task as it is declared.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredTask {
    /// The task.
    pub config: TaskConfig,
    /// Whether it says if it is paused; otherwise that is left alone.
    pub says_paused: bool,
}

/// What has to change. Nothing in it is as it is already.
#[derive(Debug, Clone, Default)]
pub struct ApplyPlan {
    /// Presets, each with what it was.
    pub presets: Vec<(Option<Preset>, Preset)>,
    /// Plugins.
    pub plugins: Vec<PlannedPlugin>,
    /// Values.
    pub config: Vec<PlannedValue>,
    /// Tasks.
    pub tasks: Vec<PlannedTask>,
    /// Tasks that go, each with what names its state.
    pub deleted_tasks: Vec<(TaskId, String)>,
    /// Keys of values that go, each with what is stored.
    pub deleted_config: Vec<(String, StoredConfig)>,
    /// Plugins that go.
    pub deleted_plugins: Vec<PluginName>,
}

impl ApplyPlan {
    /// How many things change.
    #[must_use]
    pub fn len(&self) -> usize {
        let deleted = self.deleted_tasks.len() + self.deleted_config.len() + self.deleted_plugins.len();
        self.presets.len() + self.plugins.len() + self.config.len() + self.tasks.len() + deleted
    }

    /// Whether everything is as it is to be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Components that nobody has uploaded yet.
    pub fn missing(&self) -> impl Iterator<Item = (&PluginName, Digest)> {
        let missing = self.plugins.iter().filter(|plugin| plugin.version == PlannedVersion::Missing);
        missing.map(|plugin| (&plugin.name, plugin.digest))
    }
}

/// A plugin that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPlugin {
    /// Its name.
    pub name: PluginName,
    /// What names its state; `None` if it is new.
    pub tag: Option<String>,
    /// Its active version; `None` if it has none.
    pub before: Option<Digest>,
    /// The version that is to be active.
    pub digest: Digest,
    /// Where that comes from.
    pub version: PlannedVersion,
    /// What it may use and reach now.
    pub policy_before: PluginPolicy,
    /// What it is to use and reach.
    pub policy: PluginPolicy,
}

/// Where the version that is to be active comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlannedVersion {
    /// It is active.
    Active,
    /// The plugin has it.
    Stored,
    /// It was uploaded for this.
    Staged,
    /// Nobody has uploaded it.
    Missing,
}

/// A value that changes.
#[derive(Clone, PartialEq, Eq)]
pub struct PlannedValue {
    /// Its key.
    pub key: String,
    /// What it is; `None` if it is new, and of a secret no text.
    pub before: Option<Option<String>>,
    /// What is stored of that.
    pub stored: Option<StoredConfig>,
    /// What it is to be.
    pub value: String,
    /// Whether that is a secret.
    pub is_secret: bool,
}

impl std::fmt::Debug for PlannedValue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "PlannedValue({}, ..)", self.key)
    }
}

/// A task that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTask {
    /// What it is; `None` if it is new.
    pub before: Option<Task>,
    /// What it is to be.
    pub after: NewTask,
}

impl PlannedTask {
    /// The task that it is to be, as if it had not begun.
    #[must_use]
    pub fn task(&self) -> Task {
        crate::dry_run::as_task(self.after.clone())
    }
}
