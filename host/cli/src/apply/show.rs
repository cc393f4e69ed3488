//! How differences are shown. Pure.

use std::fmt::Write as _;

use console::style;
use innkeeper_model::task_config::TaskConfig;
use serde_json::{Map, Value};

use crate::output::{json_text, printable};
use crate::plugins::short_digest;

/// The changes for people, a few lines for each.
pub(super) fn describe(changes: &[Value]) -> String {
    let mut text = String::new();
    for change in changes {
        let sign = match change["action"].as_str() {
            Some("create") => style("+").green(),
            Some("delete") => style("-").red(),
            _ => style("~").yellow(),
        };
        let title = format!("{} {}", json_text(&change["kind"]), printable(&json_text(&change["name"])));
        let _ = writeln!(text, "{sign} {}", style(title).bold());
        for (field, difference) in in_order(change["fields"].as_object()) {
            let (from, to) = (shown(field, &difference["from"]), shown(field, &difference["to"]));
            let _ = match difference["from"] {
                Value::Null => writeln!(text, "    {field}: {to}"),
                _ => writeln!(text, "    {field}: {from} → {to}"),
            };
        }
    }
    text
}

/// Fields in the order in which tasks name theirs.
fn in_order(fields: Option<&Map<String, Value>>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.into_iter().flatten().collect();
    fields.sort_by_key(|(field, _)| TaskConfig::KEYS.iter().position(|key| key == field));
    fields
}

fn shown(field: &str, value: &Value) -> String {
    match (field, value) {
        ("digest", Value::String(digest)) => short_digest(digest).to_owned(),
        (_, Value::Null) => "nothing".to_owned(),
        // What stands for a secret is no text.
        ("value", Value::String(text)) if text.starts_with('(') && text.ends_with("secret)") => text.clone(),
        (_, value) => printable(&value.to_string()),
    }
}

/// How many changes there are of each kind.
pub(super) fn sum(changes: &[Value], is_dry: bool) -> String {
    if changes.is_empty() {
        return "nothing to change".to_owned();
    }
    let count = |action: &str| changes.iter().filter(|change| change["action"] == *action).count();
    let would = if is_dry { "would be " } else { "" };
    let [new, differing, gone] = ["create", "change", "delete"].map(count);
    format!("{would}created {new}, changed {differing}, deleted {gone}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_shown_with_what_was_and_what_shall_be() {
        console::set_colors_enabled(false);
        let changes = [
            json!({"action": "change", "kind": "task", "name": "t", "fields": {
                "overlap": {"from": "skip", "to": "queue"}, "cron": {"from": "a", "to": "b"},
                "limits": {"from": {"fuel": 1}, "to": null}}}),
            json!({"action": "create", "kind": "config", "name": "k", "fields": {
                "value": {"from": null, "to": "(secret)"}}}),
            json!({"action": "create", "kind": "plugin", "name": "p", "fields": {
                "digest": {"from": null, "to": "0123456789abcdef"}}}),
            json!({"action": "delete", "kind": "plugin", "name": "old", "fields": {}}),
        ];
        insta::assert_snapshot!(describe(&changes), @r#"
        ~ task t
            cron: "a" → "b"
            overlap: "skip" → "queue"
            limits: {"fuel":1} → nothing
        + config k
            value: (secret)
        + plugin p
            digest: 0123456789ab
        - plugin old
        "#);
        assert_eq!(sum(&changes, true), "would be created 2, changed 1, deleted 1");
        assert_eq!(sum(&[], false), "nothing to change");
    }
}
