//! A new task as the server wants it, from a file or from flags.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use crate::args::Create;
use crate::dev::manifest::to_json;

/// The task as JSON. What is wrong with it, the server says.
///
/// # Errors
/// The file cannot be read, or is neither a JSON object nor TOML.
pub(super) fn definition(create: Create) -> anyhow::Result<Value> {
    match &create.file {
        Some(path) => parse(&read(path)?).with_context(|| path.display().to_string()),
        None => Ok(from_flags(create)),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path.as_os_str() != "-" {
        return std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}

/// Reads JSON if it begins as a JSON object does, else TOML.
fn parse(text: &str) -> anyhow::Result<Value> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).context("is not JSON");
    }
    if text.trim().is_empty() {
        bail!("is empty: write the task as JSON or TOML");
    }
    let table: toml::Table = text.parse().context("is neither a JSON object nor TOML")?;
    Ok(to_json(toml::Value::Table(table)))
}

fn from_flags(create: Create) -> Value {
    let task_type = if create.on_event.is_some() { "event" } else { "schedule" };
    let mut task = Map::from_iter([("type".to_owned(), json!(task_type))]);
    let texts = [
        ("id", create.id),
        ("plugin", create.plugin),
        ("cron", create.cron),
        ("preset", create.preset),
        ("at", create.at),
        ("after", create.after),
        ("onEvent", create.on_event),
        ("name", create.name),
        ("timezone", create.timezone),
    ];
    let written = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::from(text?))));
    task.extend(written);
    if let Some(attempts) = create.max_attempts {
        let mut policy = json!({"maxAttempts": attempts});
        for (key, text) in [("delay", create.retry_delay), ("backoff", create.backoff)] {
            if let Some(text) = text {
                policy[key] = text.into();
            }
        }
        task.insert("retryPolicy".to_owned(), policy);
    }
    if create.paused {
        task.insert("isPaused".to_owned(), true.into());
    }
    task.extend(create.metadata.map(|metadata| ("metadata".to_owned(), metadata)));
    Value::Object(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_a_task() {
        let create = Create {
            id: Some("a".to_owned()),
            plugin: Some("p".to_owned()),
            on_event: Some("user:*".to_owned()),
            max_attempts: Some(3),
            retry_delay: Some("30s".to_owned()),
            metadata: Some(json!({"x": 1})),
            paused: true,
            ..Create::default()
        };
        assert_eq!(
            from_flags(create),
            json!({"id": "a", "type": "event", "plugin": "p", "onEvent": "user:*", "isPaused": true,
                "retryPolicy": {"maxAttempts": 3, "delay": "30s"}, "metadata": {"x": 1}})
        );
        let create = Create { cron: Some("* * * * *".to_owned()), ..Create::default() };
        assert_eq!(from_flags(create), json!({"type": "schedule", "cron": "* * * * *"}));
    }

    #[test]
    fn a_file_may_be_json_or_toml() {
        let expected = json!({"id": "a", "retryPolicy": {"maxAttempts": 2}});
        assert_eq!(
            parse(" {\"id\": \"a\", \"retryPolicy\": {\"maxAttempts\": 2}}").ok(),
            Some(expected.clone())
        );
        assert_eq!(parse("id = 'a'\n[retryPolicy]\nmaxAttempts = 2").ok(), Some(expected));
        for bad in ["", "{", "id = "] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
