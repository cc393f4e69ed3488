//! What is stored, as its author could have written it.

use innkeeper_model::grants::Grants;
use innkeeper_model::limits::{LimitWishes, Limits};
use innkeeper_model::task::{Misfire, Overlap, Task};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::time::Timestamp;
use innkeeper_store::PluginPolicy;
use serde_json::{Map, Value, json};

use crate::limits::{written, written_of_plugin};
use crate::wire;

/// Every field of a task that its author decides, with the limits that it asks for.
pub(crate) fn whole_task(task: Task) -> Map<String, Value> {
    let limits = limits(&task.definition.limits);
    let shown = serde_json::to_value(wire::Task::new(task, Limits::DEFAULT, 0)).unwrap_or_default();
    let kept = TaskConfig::KEYS.into_iter().filter(|key| *key != "allowPast");
    let mut fields: Map<_, _> = kept.map(|key| (key.to_owned(), shown[key].clone())).collect();
    fields.insert("limits".to_owned(), limits);
    fields
}

/// What of a task is not a default. One whose time has passed says that it may be so.
pub(crate) fn task(task: Task, now: Timestamp) -> Map<String, Value> {
    let is_past = task.next_run_at.is_none_or(|next| next < now);
    let defaults = [
        ("isPaused", json!(false)),
        ("misfire", json!(Misfire::default().as_str())),
        ("overlap", json!(Overlap::default_for(&task.definition.trigger).as_str())),
    ];
    let mut fields = whole_task(task);
    fields.retain(|key, value| !value.is_null() && !defaults.contains(&(key.as_str(), value.clone())));
    // The pattern of a preset is the preset's.
    if fields.contains_key("preset") {
        fields.remove("cron");
    }
    if fields.get("retryPolicy").is_some_and(|policy| policy["maxAttempts"] == 1) {
        fields.remove("retryPolicy");
    }
    if fields.contains_key("at") && is_past {
        fields.insert("allowPast".to_owned(), true.into());
    }
    fields
}

/// Limits of a plugin, with how many of its executions there may be at once; `null` if that is none.
pub(crate) fn plugin_limits(policy: &PluginPolicy) -> Value {
    let limits = written_of_plugin(policy);
    if limits.is_empty() { Value::Null } else { limits.into() }
}

/// Limits that somebody asks for; `null` if that is none.
fn limits(wishes: &LimitWishes) -> Value {
    let limits = written(wishes);
    if limits.is_empty() { Value::Null } else { limits.into() }
}

/// What is granted; `null` if that is nothing.
pub(crate) fn grants(grants: &Grants) -> Value {
    if grants.is_empty() { Value::Null } else { serde_json::to_value(grants).unwrap_or_default() }
}
