//! What has to change, and how it is shown. Pure.

use std::fmt::Write as _;

use console::style;
use innkeeper_model::task_config::TaskConfig;
use serde_json::{Map, Value, json};

use crate::output::{json_text, printable};
use crate::plugins::short_digest;

/// What of a task its author decides, in the order in which differences are shown. `allowPast` is a wish for the moment of
/// creation, and not kept.
pub(super) fn task_keys() -> impl Iterator<Item = &'static str> {
    TaskConfig::KEYS.into_iter().filter(|key| !matches!(*key, "id" | "allowPast")).chain(["id"])
}

/// What is done to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Change,
    Delete,
}

/// Kinds of things that are declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plugin,
    Task,
}

impl Kind {
    /// Its name in a path of the API.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Plugin => "plugins",
            Self::Task => "tasks",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Task => "task",
        }
    }
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) action: Action,
    pub(super) kind: Kind,
    pub(super) name: String,
    /// What is different: the field, what it is and what it shall be.
    pub(super) fields: Vec<(String, Value, Value)>,
    /// A plugin's component.
    pub(super) component: Option<Vec<u8>>,
    /// A task as it is declared.
    pub(super) body: Value,
}

impl Change {
    /// What is on the server shall go.
    pub(super) fn delete(kind: Kind, name: &str) -> Self {
        let (fields, body) = (Vec::new(), Value::Null);
        Self { action: Action::Delete, kind, name: name.to_owned(), fields, component: None, body }
    }

    /// `task cleanup`.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind.name(), printable(&self.name))
    }

    pub(super) fn to_json(&self) -> Value {
        let action = match self.action {
            Action::Create => "create",
            Action::Change => "change",
            Action::Delete => "delete",
        };
        let fields: Map<_, _> = self
            .fields
            .iter()
            .map(|(field, from, to)| (field.clone(), json!({"from": from, "to": to})))
            .collect();
        json!({"action": action, "kind": self.kind.name(), "name": self.name, "fields": fields})
    }
}

/// How a task has to change to be as `wanted`, which the server made of `body`. `None` if it is so already.
pub(super) fn task(current: Option<&Value>, wanted: &Value, body: Value) -> Option<Change> {
    let name = json_text(&wanted["id"]);
    let Some(current) = current else {
        let given = task_keys().filter(|key| *key != "id" && !body[*key].is_null());
        let fields = given.map(|key| (key.to_owned(), Value::Null, body[key].clone())).collect();
        return Some(Change {
            action: Action::Create,
            kind: Kind::Task,
            name,
            fields,
            component: None,
            body,
        });
    };
    let differing = task_keys().filter(|key| current[*key] != wanted[*key]);
    let fields: Vec<_> =
        differing.map(|key| (key.to_owned(), current[key].clone(), wanted[key].clone())).collect();
    let change = Change { action: Action::Change, kind: Kind::Task, name, fields, component: None, body };
    (!change.fields.is_empty()).then_some(change)
}

/// The changes for people, a few lines for each.
pub(super) fn describe(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes {
        let sign = match change.action {
            Action::Create => style("+").green(),
            Action::Change => style("~").yellow(),
            Action::Delete => style("-").red(),
        };
        let _ = writeln!(text, "{sign} {}", style(change.title()).bold());
        for (field, from, to) in &change.fields {
            let _ = writeln!(text, "    {field}: {}", difference(field, from, to));
        }
    }
    text
}

/// How many changes there are of each kind.
pub(super) fn sum(changes: &[Change], is_dry: bool) -> String {
    if changes.is_empty() {
        return "nothing differs".to_owned();
    }
    let count = |action| changes.iter().filter(|change| change.action == action).count();
    let would = if is_dry { "would be " } else { "" };
    let [new, differing, gone] = [Action::Create, Action::Change, Action::Delete].map(count);
    format!("{would}created {new}, changed {differing}, deleted {gone}")
}

fn difference(field: &str, from: &Value, to: &Value) -> String {
    let shown = |value: &Value| match (field, value) {
        ("digest", Value::String(digest)) => short_digest(digest).to_owned(),
        (_, Value::Null) => "nothing".to_owned(),
        (_, value) => printable(&value.to_string()),
    };
    if from.is_null() { shown(to) } else { format!("{} → {}", shown(from), shown(to)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_a_change() {
        let current = json!({"id": "a", "cron": "* * * * *", "nextRunAt": "x", "overlap": "skip"});
        let wanted = json!({"id": "a", "cron": "* * * * *", "nextRunAt": "y", "overlap": "queue"});
        let change = task(Some(&current), &wanted, json!({})).expect("a change");
        assert_eq!(change.fields, [("overlap".to_owned(), json!("skip"), json!("queue"))]);
        assert_eq!(task(Some(&current), &current, json!({})), None);
        assert_eq!(task(None, &wanted, json!({})).map(|change| change.action), Some(Action::Create));
    }

    #[test]
    fn changes_are_shown_with_what_was_and_what_shall_be() {
        console::set_colors_enabled(false);
        let changes = [
            task(Some(&json!({"cron": "a"})), &json!({"id": "t", "cron": "b"}), json!({})).expect("a change"),
            Change::delete(Kind::Plugin, "old"),
        ];
        assert_eq!(describe(&changes), "~ task t\n    cron: \"a\" → \"b\"\n    id: \"t\"\n- plugin old\n");
        assert_eq!(sum(&changes, true), "would be created 0, changed 1, deleted 1");
        assert_eq!(sum(&[], false), "nothing differs");
    }
}
