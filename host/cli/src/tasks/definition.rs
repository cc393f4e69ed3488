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
        ("overlap", create.overlap),
        ("misfire", create.misfire),
        ("expectWithin", create.expect_within),
        ("onFailure", create.on_failure),
    ];
    let written = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::from(text?))));
    task.extend(written);
    if let Some(attempts) = create.max_attempts {
        let mut policy = json!({"maxAttempts": attempts});
        let texts = [
            ("delay", create.retry_delay),
            ("backoff", create.backoff),
            ("maxDelay", create.retry_max_delay),
            ("maxRetryDuration", create.retry_window),
        ];
        set_texts(&mut policy, texts);
        if let Some(jitter) = create.retry_jitter {
            policy["jitter"] = jitter.into();
        }
        task.insert("retryPolicy".to_owned(), policy);
    }
    if let Some((limit, interval)) = create.rate_limit {
        let mut rate = json!({"limit": limit, "interval": interval});
        set_texts(&mut rate, [("strategy", create.rate_strategy), ("overflow", create.rate_overflow)]);
        task.insert("rateLimit".to_owned(), rate);
    }
    let numbers = [("fuel", create.fuel), ("memory", create.memory)];
    let mut limits: Map<_, _> =
        numbers.into_iter().filter_map(|(key, number)| Some((key.to_owned(), number?.into()))).collect();
    limits.extend(create.timeout.map(|timeout| ("timeout".to_owned(), timeout.into())));
    if !limits.is_empty() {
        task.insert("limits".to_owned(), limits.into());
    }
    task.extend(create.concurrency.map(|count| ("concurrency".to_owned(), count.into())));
    for (key, _) in
        [("isPaused", create.paused), ("allowPast", create.allow_past)].iter().filter(|(_, on)| *on)
    {
        task.insert((*key).to_owned(), true.into());
    }
    task.extend(create.metadata.map(|metadata| ("metadata".to_owned(), metadata)));
    Value::Object(task)
}

/// Puts the texts that are there into an object.
fn set_texts<const N: usize>(object: &mut Value, texts: [(&str, Option<String>); N]) {
    for (key, text) in texts {
        if let Some(text) = text {
            object[key] = text.into();
        }
    }
}

/// The id in a task.
///
/// # Errors
/// There is none.
pub(super) fn id_of(task: &Value) -> anyhow::Result<String> {
    let id = task["id"].as_str().filter(|id| !id.is_empty());
    id.map(str::to_owned).context("the task has no `id`, so there is nothing to replace")
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
            rate_limit: Some((10, "1m".to_owned())),
            rate_overflow: Some("drop".to_owned()),
            timeout: Some("5s".to_owned()),
            paused: true,
            ..Create::default()
        };
        assert_eq!(
            from_flags(create),
            json!({"id": "a", "type": "event", "plugin": "p", "onEvent": "user:*", "isPaused": true,
                "rateLimit": {"limit": 10, "interval": "1m", "overflow": "drop"}, "limits": {"timeout": "5s"},
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
