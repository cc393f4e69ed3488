//! What somebody may have meant: the nearest name to one that does not exist, and the version that a short digest names.

use innkeeper_model::id::{PluginName, TaskId, TenantId};
use innkeeper_model::problem::{FieldError, nearest};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_store::TaskFilter;

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

/// Tasks that are looked through for a near name.
const TASKS_MAX: u32 = 1000;

/// Hexadecimal digits of a digest that stand for all of them, at least.
const SHORT_DIGITS_MIN: usize = 8;

impl TaskRunner {
    /// The error for a task that does not exist.
    pub(crate) async fn no_such_task(&self, tenant: &TenantId, id: &TaskId) -> RunnerError {
        let filter = TaskFilter { limit: TASKS_MAX, ..TaskFilter::default() };
        // It is only a hint: whatever keeps it from being found is not what was asked for.
        let tasks = self.0.store.tasks(tenant, filter).await.unwrap_or_default();
        let near = nearest(id.as_str(), tasks.iter().map(|task| task.definition.id.as_str()));
        RunnerError::NotFound { what: "task", id: id.to_string(), near }
    }

    /// The error for a plugin that does not exist.
    pub(crate) async fn no_such_plugin(&self, tenant: &TenantId, name: &PluginName) -> RunnerError {
        let plugins = self.0.store.plugins(tenant).await.unwrap_or_default();
        let near = nearest(name.as_str(), plugins.iter().map(|plugin| plugin.name.as_str()));
        RunnerError::NotFound { what: "plugin", id: name.to_string(), near }
    }

    /// Puts the whole digest in place of a short one in `name@digest`, if it is that of one version. What else may be wrong
    /// with it is left to be found later.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn complete_digest(
        &self,
        tenant: &TenantId,
        config: &mut TaskConfig,
    ) -> Result<Option<FieldError>, RunnerError> {
        let reference = config.plugin.clone();
        let Some((name, short)) = short_digest(&reference) else { return Ok(None) };
        let Ok(plugin) = name.parse::<PluginName>() else { return Ok(None) };
        let found = self.0.store.versions_beginning(tenant, &plugin, short).await?;
        let message = match found.as_slice() {
            [digest] => {
                config.plugin = format!("{name}@{digest}");
                return Ok(None);
            }
            [] => format!("the plugin `{name}` has no version that begins with `{short}`"),
            _ => format!("more than one version of `{name}` begins with `{short}`; write more of its digits"),
        };
        let code = if found.is_empty() { "unknown_version" } else { "ambiguous_version" };
        // What is left of the reference is checked as any other.
        name.clone_into(&mut config.plugin);
        Ok(Some(FieldError::new("plugin", code, message)))
    }
}

/// The name and the digits of a reference that ends in a part of a digest.
fn short_digest(reference: &str) -> Option<(&str, &str)> {
    let (name, digits) = reference.split_once('@')?;
    let is_short = (SHORT_DIGITS_MIN..64).contains(&digits.len());
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
    (is_short && is_hexadecimal).then_some((name, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_are_a_short_digest() {
        assert_eq!(short_digest("greeter@0123abcd"), Some(("greeter", "0123abcd")));
        for other in ["greeter", "greeter@0123abc", "greeter@0123ABCD", "greeter@latest-one"] {
            assert_eq!(short_digest(other), None, "{other}");
        }
        assert_eq!(short_digest(&format!("greeter@{}", "a".repeat(64))), None);
    }
}
