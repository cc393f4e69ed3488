//! What has to change for a tenant to have what is declared.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_model::problem::FieldError;
use innkeeper_store::{Plugin, PluginPolicy, Preset, StoreError, StoredConfig, TaskFilter};

use crate::config_values::{no_key, problems as value_problems};
use crate::declaration::{
    ApplyPlan, Declaration, DeclaredPlugin, DeclaredTask, DeclaredValue, PlannedPlugin, PlannedTask,
    PlannedValue, PlannedVersion,
};
use crate::error::RunnerError;
use crate::presets;
use crate::secret_key::SecretKey;
use crate::task_runner::TaskRunner;

/// Rows that are read at once while everything there is is looked through.
const PAGE: u32 = 1000;

/// Everything that is wrong with a declaration, each with its path.
#[derive(Default)]
struct Problems(Vec<FieldError>);

impl Problems {
    /// Notes what is wrong with one of the things that are declared under `list`.
    fn add(&mut self, list: &str, index: usize, found: impl IntoIterator<Item = FieldError>) {
        for mut problem in found {
            problem.field = match problem.field.as_str() {
                "" => format!("{list}[{index}]"),
                field => format!("{list}[{index}].{field}"),
            };
            self.0.push(problem);
        }
    }

    /// Notes what is declared more than once.
    fn repeated<'a>(&mut self, list: &str, field: &str, names: impl Iterator<Item = &'a str>) {
        let mut known = BTreeSet::new();
        for (index, name) in names.enumerate() {
            if !known.insert(name) {
                let problem = FieldError::new(field, "repeated", format!("`{name}` is declared twice"));
                self.add(list, index, [problem]);
            }
        }
    }
}

impl TaskRunner {
    /// What has to change.
    pub(super) async fn find_changes(
        &self,
        tenant: &TenantId,
        declaration: Declaration,
    ) -> Result<ApplyPlan, RunnerError> {
        let mut problems = Problems::default();
        let Declaration { presets, plugins, config, tasks, prune } = declaration;
        problems.repeated("presets", "name", presets.iter().map(|preset| preset.name.as_str()));
        problems.repeated("plugins", "name", plugins.iter().map(|plugin| plugin.name.as_str()));
        problems.repeated("config", "key", config.iter().map(|value| value.key.as_str()));
        problems.repeated("tasks", "id", tasks.iter().map(|task| task.config.id.as_str()));
        let mut plan =
            ApplyPlan { presets: self.plan_presets(&presets, &mut problems).await?, ..ApplyPlan::default() };
        if prune {
            self.plan_deletions(tenant, (&plugins, &config, &tasks), &mut plan).await?;
        }
        let names: BTreeSet<_> = plugins.iter().map(|plugin| plugin.name.clone()).collect();
        for plugin in plugins {
            plan.plugins.extend(self.plan_plugin(tenant, plugin).await?);
        }
        for (index, value) in config.into_iter().enumerate() {
            match self.plan_value(tenant, value).await? {
                Ok(planned) => plan.config.extend(planned),
                Err(found) => problems.add("config", index, found),
            }
        }
        let patterns = self.patterns_with(&presets);
        for (index, task) in tasks.into_iter().enumerate() {
            match self.plan_task(tenant, task, &names, &patterns).await {
                Ok(planned) => plan.tasks.extend(planned),
                Err(RunnerError::Invalid(found)) => problems.add("tasks", index, found),
                Err(error) => return Err(error),
            }
        }
        if problems.0.is_empty() { Ok(plan) } else { Err(RunnerError::Invalid(problems.0)) }
    }

    async fn plan_presets(
        &self,
        declared: &[Preset],
        problems: &mut Problems,
    ) -> Result<Vec<(Option<Preset>, Preset)>, RunnerError> {
        let mut planned = Vec::new();
        if declared.is_empty() {
            return Ok(planned);
        }
        let stored = self.0.store.presets().await?;
        let stored: BTreeMap<_, _> = stored.iter().map(|preset| (preset.name.as_str(), preset)).collect();
        for (index, preset) in declared.iter().enumerate() {
            let before = stored.get(preset.name.as_str()).copied();
            if before == Some(preset) {
                continue;
            }
            problems.add("presets", index, presets::check(preset));
            planned.push((before.cloned(), preset.clone()));
        }
        Ok(planned)
    }

    async fn plan_plugin(
        &self,
        tenant: &TenantId,
        declared: DeclaredPlugin,
    ) -> Result<Option<PlannedPlugin>, StoreError> {
        let DeclaredPlugin { name, digest, grants, limits } = declared;
        let store = &self.0.store;
        let stored = store.plugin(tenant, &name).await?;
        let tag = stored.as_ref().map(Plugin::tag);
        let before = stored.and_then(|plugin| plugin.digest);
        let policy_before = store.plugin_policy(tenant, &name).await?.unwrap_or_default();
        let (limits, concurrency) = limits.unwrap_or((policy_before.limits, policy_before.concurrency));
        let policy = PluginPolicy {
            limits,
            concurrency,
            grants: grants.unwrap_or_else(|| policy_before.grants.clone()),
        };
        if before == Some(digest) && policy == policy_before {
            return Ok(None);
        }
        let version = if before == Some(digest) {
            PlannedVersion::Active
        } else if self.has_version(tenant, &name, &digest.to_string()).await? {
            PlannedVersion::Stored
        } else if self.0.staged.holds(tenant, &digest) {
            PlannedVersion::Staged
        } else {
            PlannedVersion::Missing
        };
        Ok(Some(PlannedPlugin { name, tag, before, digest, version, policy_before, policy }))
    }

    async fn has_version(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        digest: &str,
    ) -> Result<bool, StoreError> {
        Ok(!self.0.store.versions_beginning(tenant, name, digest).await?.is_empty())
    }

    /// The inner error is what is wrong with the value.
    async fn plan_value(
        &self,
        tenant: &TenantId,
        declared: DeclaredValue,
    ) -> Result<Result<Option<PlannedValue>, Vec<FieldError>>, StoreError> {
        let stored = self.0.store.config_value(tenant, &declared.key).await?;
        let key = self.0.config.secret_key.as_ref();
        let DeclaredValue { key: name, value, is_secret } = declared;
        let Some(value) = value else {
            if is_secret && matches!(stored, Some(StoredConfig::Secret(_))) {
                return Ok(Ok(None));
            }
            let message = if is_secret { "is required: there is no such secret yet" } else { "is required" };
            return Ok(Err(vec![FieldError::new("value", "missing", message)]));
        };
        let mut problems = value_problems(&name, &value, is_secret);
        if is_secret && key.is_none() {
            problems.push(no_key());
        }
        if !problems.is_empty() {
            return Ok(Err(problems));
        }
        if stored.as_ref().is_some_and(|stored| is_same(stored, (&value, is_secret), (tenant, &name), key)) {
            return Ok(Ok(None));
        }
        let before = stored.as_ref().map(|stored| match stored {
            StoredConfig::Plain(text) => Some(text.clone()),
            StoredConfig::Secret(_) => None,
        });
        Ok(Ok(Some(PlannedValue { key: name, before, stored, value, is_secret })))
    }

    async fn plan_task(
        &self,
        tenant: &TenantId,
        declared: DeclaredTask,
        plugins: &BTreeSet<PluginName>,
        presets: &BTreeMap<String, String>,
    ) -> Result<Option<PlannedTask>, RunnerError> {
        let DeclaredTask { mut config, says_paused } = declared;
        let before = match config.id.parse() {
            Ok(id) => self.0.store.task(tenant, &id).await?,
            // What is wrong with it is found with the rest.
            Err(_) => None,
        };
        if let Some(before) = before.as_ref().filter(|_| !says_paused) {
            config.is_paused = before.definition.is_paused;
        }
        let is_assumed = |name: &str| name.parse().is_ok_and(|name: PluginName| plugins.contains(&name));
        let after = self.check_beside(tenant, config, is_assumed, Some(presets)).await?;
        let after = self.in_place_of(before.as_ref(), after)?;
        let is_same = before.as_ref().is_some_and(|before| before.definition == after.definition);
        Ok((!is_same).then_some(PlannedTask { before, after }))
    }

    /// What is there and not declared.
    async fn plan_deletions(
        &self,
        tenant: &TenantId,
        (plugins, config, tasks): (&[DeclaredPlugin], &[DeclaredValue], &[DeclaredTask]),
        plan: &mut ApplyPlan,
    ) -> Result<(), StoreError> {
        let store = &self.0.store;
        let declared: BTreeSet<_> = tasks.iter().map(|task| task.config.id.as_str()).collect();
        let mut after = None;
        loop {
            let filter = TaskFilter { after: after.take(), limit: PAGE, ..TaskFilter::default() };
            let page = store.tasks(tenant, filter).await?;
            after = page.last().map(|task| task.definition.id.clone());
            let going = page.into_iter().filter(|task| !declared.contains(task.definition.id.as_str()));
            plan.deleted_tasks.extend(going.map(|task| (task.definition.id.clone(), task.tag())));
            if after.is_none() {
                break;
            }
        }
        let declared: BTreeSet<_> = config.iter().map(|value| value.key.as_str()).collect();
        let mut after: Option<String> = None;
        loop {
            let page = store.config_entries(tenant, after.as_deref(), PAGE).await?;
            after = page.last().map(|entry| entry.key.clone());
            for entry in page.iter().filter(|entry| !declared.contains(entry.key.as_str())) {
                let stored = store.config_value(tenant, &entry.key).await?;
                plan.deleted_config.extend(stored.map(|stored| (entry.key.clone(), stored)));
            }
            if after.is_none() {
                break;
            }
        }
        let declared: BTreeSet<_> = plugins.iter().map(|plugin| &plugin.name).collect();
        let names = store.plugins(tenant).await?.into_iter().map(|plugin| plugin.name);
        plan.deleted_plugins.extend(names.filter(|name| !declared.contains(name)));
        Ok(())
    }
}

/// Whether a stored value is the one that is declared. A secret that cannot be opened is another one.
fn is_same(
    stored: &StoredConfig,
    (value, is_secret): (&str, bool),
    (tenant, name): (&TenantId, &str),
    key: Option<&SecretKey>,
) -> bool {
    match (stored, key) {
        (StoredConfig::Plain(text), _) => !is_secret && text == value,
        (StoredConfig::Secret(ciphertext), Some(key)) => {
            is_secret && key.open(tenant, name, ciphertext).is_ok_and(|opened| opened == value)
        }
        (StoredConfig::Secret(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_without_being_shown() {
        let (tenant, key) = (TenantId::default_tenant(), SecretKey::generate());
        let sealed = StoredConfig::Secret(key.seal(&tenant, "k", "s3cret"));
        let same =
            |stored: &StoredConfig, value, secret, key| is_same(stored, (value, secret), (&tenant, "k"), key);
        assert!(same(&sealed, "s3cret", true, Some(&key)));
        assert!(!same(&sealed, "other", true, Some(&key)));
        assert!(!same(&sealed, "s3cret", false, Some(&key)), "it is to be plain");
        assert!(!same(&sealed, "s3cret", true, None));
        let plain = StoredConfig::Plain("a".to_owned());
        assert!(same(&plain, "a", false, None) && !same(&plain, "a", true, Some(&key)));
    }

    #[test]
    fn what_is_declared_twice_is_named_where_it_stands() {
        let mut problems = Problems::default();
        problems.repeated("tasks", "id", ["a", "b", "a"].into_iter());
        problems.add("tasks", 1, [FieldError::new("", "wrong_type", "must be an object")]);
        let fields: Vec<_> = problems.0.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["tasks[2].id", "tasks[1]"]);
    }
}
