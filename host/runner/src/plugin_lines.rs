//! Tasks whose runs wait because their plugin has as many executions as it may have at once. Whenever one of them ends, one
//! task is let out; what its claim comes to lets out the next, so that a long line costs no more than its front.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use innkeeper_model::id::{PluginName, TaskId, TenantId};

use crate::state::Shared;

type Plugin = (TenantId, PluginName);

/// The lines of all plugins. Empty where no plugin is held.
#[derive(Debug, Default)]
pub(crate) struct PluginLines(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    waiting: HashMap<Plugin, VecDeque<TaskId>>,
    /// Tasks that have been let out and have not been claimed yet, and the plugin that they waited for.
    let_out: HashMap<(TenantId, TaskId), PluginName>,
    /// How often room was made: what a claim from before says may be out of date.
    made_room: u64,
}

impl PluginLines {
    /// How often room was made, to be asked before a claim.
    pub(crate) fn made_room(&self) -> u64 {
        self.lock().made_room
    }

    /// Notes that a run of the task was refused a start, by a claim that began when room had been made so often. Returns
    /// whether that is out of date.
    pub(crate) fn wait(&self, tenant: &TenantId, plugin: &PluginName, task: &TaskId, made_room: u64) -> bool {
        let mut lines = self.lock();
        lines.let_out.remove(&(tenant.clone(), task.clone()));
        let line = lines.waiting.entry((tenant.clone(), plugin.clone())).or_default();
        if !line.contains(task) {
            line.push_back(task.clone());
        }
        lines.made_room != made_room
    }

    /// Whether runs of the task wait for its plugin.
    pub(crate) fn holds(&self, tenant: &TenantId, plugin: &PluginName, task: &TaskId) -> bool {
        let line = self.lock().waiting.get(&(tenant.clone(), plugin.clone())).map(|line| line.contains(task));
        line.unwrap_or(false)
    }

    pub(crate) fn forget_tenant(&self, tenant: &TenantId) {
        let mut lines = self.lock();
        lines.waiting.retain(|(of, _), _| of != tenant);
        lines.let_out.retain(|(of, _), _| of != tenant);
    }

    /// The plugin that a task waited for until it was let out, if it was.
    fn arrived(&self, tenant: &TenantId, task: &TaskId) -> Option<PluginName> {
        let mut lines = self.lock();
        if lines.let_out.is_empty() { None } else { lines.let_out.remove(&(tenant.clone(), task.clone())) }
    }

    fn make_room(&self) {
        self.lock().made_room += 1;
    }

    /// Takes the next task out of a plugin's line.
    fn next(&self, tenant: &TenantId, plugin: &PluginName) -> Option<TaskId> {
        let mut lines = self.lock();
        if lines.waiting.is_empty() {
            return None;
        }
        let key = (tenant.clone(), plugin.clone());
        let line = lines.waiting.get_mut(&key)?;
        let task = line.pop_front();
        if line.is_empty() {
            lines.waiting.remove(&key);
        }
        let task = task?;
        lines.let_out.insert((tenant.clone(), task.clone()), plugin.clone());
        Some(task)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Notes that a plugin has room for another execution: one has ended, or it may have more.
    pub(crate) fn plugin_has_room(&self, tenant: &TenantId, plugin: &PluginName) {
        self.plugin_lines.make_room();
        self.let_out(tenant, plugin);
    }

    /// Notes that a run of the task was claimed, whatever came of it but that its plugin has no room: there may be some for
    /// another task.
    pub(crate) fn arrived(&self, tenant: &TenantId, task: &TaskId) {
        if let Some(plugin) = self.plugin_lines.arrived(tenant, task) {
            self.let_out(tenant, &plugin);
        }
    }

    /// Lets out the first task in line that has a run to let out. The others have been paused or deleted meanwhile, or wait for
    /// something else now, and come back when that is over.
    fn let_out(&self, tenant: &TenantId, plugin: &PluginName) {
        while let Some(task) = self.plugin_lines.next(tenant, plugin) {
            if self.reopen(tenant, &task) {
                return;
            }
            self.plugin_lines.arrived(tenant, &task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> (TenantId, PluginName, [TaskId; 2]) {
        let task = |name: &str| name.parse().expect("an id");
        (TenantId::default_tenant(), "plugin".parse().expect("a name"), [task("one"), task("two")])
    }

    #[test]
    fn tasks_stand_in_line_once_each() {
        let (tenant, plugin, [one, two]) = names();
        let lines = PluginLines::default();
        for task in [&one, &two, &one] {
            assert!(!lines.wait(&tenant, &plugin, task, 0));
        }
        assert!(lines.holds(&tenant, &plugin, &one));
        assert_eq!(lines.next(&tenant, &plugin), Some(one.clone()));
        assert!(!lines.holds(&tenant, &plugin, &one));
        assert_eq!(lines.arrived(&tenant, &one), Some(plugin.clone()));
        assert_eq!(lines.arrived(&tenant, &one), None, "it is told once");
        assert_eq!(lines.next(&tenant, &plugin), Some(two.clone()));
        assert!(!lines.wait(&tenant, &plugin, &two, 0), "it is refused again");
        assert_eq!(lines.arrived(&tenant, &two), None);
        assert_eq!(lines.next(&tenant, &plugin), Some(two));
        assert_eq!(lines.next(&tenant, &plugin), None);
    }

    #[test]
    fn a_refusal_from_before_room_was_made_is_out_of_date() {
        let (tenant, plugin, [one, _]) = names();
        let lines = PluginLines::default();
        let before = lines.made_room();
        lines.make_room();
        assert!(lines.wait(&tenant, &plugin, &one, before));
        assert!(!lines.wait(&tenant, &plugin, &one, lines.made_room()));
        lines.forget_tenant(&tenant);
        assert!(!lines.holds(&tenant, &plugin, &one));
    }
}
