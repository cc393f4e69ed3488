//! `export`: what is on a server, in the form that `apply` reads.

use std::path::Path;

use anyhow::{Context as _, bail};
use innkeeper_model::clock::{Clock as _, SystemClock};
use serde_json::{Map, Value, json};

use super::plan::task_keys;
use crate::args::ExportArgs;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Output, count};

/// The file of what TOML can say, and that of the rest: TOML has no null.
const FILES: [&str; 2] = ["innkeeper.toml", "innkeeper.json"];

/// Writes every plugin and every task of the server into a folder.
///
/// # Errors
/// [`Failure::Usage`] if the folder is not empty; as [`Failure`] tells them apart.
pub(crate) async fn export(args: ExportArgs, client: &Client, output: Output) -> Result<(), Failure> {
    ensure_empty(&args.directory).map_err(Failure::Usage)?;
    let plugins = export_plugins(&args.directory, client).await?;
    let (found, _) = client.list(&["tasks"], &[], usize::MAX).await?;
    let (mut plain, mut with_nulls) = (Vec::new(), Vec::new());
    for task in &found {
        let task = declaration(task, client).await?;
        if has_null(&task) { with_nulls.push(task) } else { plain.push(task) }
    }
    let (plugin_count, task_count) = (plugins.len(), found.len());
    write(&args.directory, &plugins, &plain, &with_nulls)?;
    let shown =
        json!({"path": args.directory.display().to_string(), "plugins": plugin_count, "tasks": task_count});
    output.done(&shown, |_| {
        let (plugins, tasks) = (count(plugin_count, "plugin"), count(task_count, "task"));
        format!("{} holds {plugins} and {tasks}", args.directory.display())
    })?;
    Ok(())
}

fn ensure_empty(directory: &Path) -> anyhow::Result<()> {
    let shown = directory.display();
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {shown}"))?;
    let mut entries = std::fs::read_dir(directory).with_context(|| format!("cannot read {shown}"))?;
    if entries.next().is_some() {
        bail!("{shown} is not empty: name a folder that is, or one that is not there yet");
    }
    Ok(())
}

async fn export_plugins(directory: &Path, client: &Client) -> Result<Vec<Value>, Failure> {
    let answer = client.get(&["plugins"], &[]).await?;
    let mut plugins = Vec::new();
    for plugin in answer["items"].as_array().into_iter().flatten() {
        let Some(name) = plugin["name"].as_str() else { continue };
        let component = client.bytes(&["plugins", name, "component"]).await?;
        let file = format!("{name}.wasm");
        let path = directory.join(&file);
        std::fs::write(&path, component).with_context(|| format!("cannot write {}", path.display()))?;
        plugins.push(json!({"name": name, "path": file}));
    }
    Ok(plugins)
}

/// A task as its author would have written it.
async fn declaration(task: &Value, client: &Client) -> Result<Value, Failure> {
    let mut body = authored(task);
    let id = task["id"].as_str().unwrap_or_default();
    // The server shows limits as they are enforced; which of them the task asks for, a task without wishes tells.
    let query = [("dryRun", "true".to_owned())];
    let (_, unlimited) = client.put(&["tasks", id], &query, &body).await?;
    let differs = |(key, value): &(&String, &Value)| unlimited["limits"][key.as_str()] != **value;
    let wishes: Map<_, _> = task["limits"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(differs)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !wishes.is_empty() {
        body["limits"] = wishes.into();
    }
    Ok(body)
}

/// What of a task is not a default, without its limits.
fn authored(task: &Value) -> Value {
    let defaults = [("isPaused", json!(false)), ("misfire", json!("runOnce"))];
    let is_default = |key: &str| defaults.iter().any(|(name, value)| *name == key && task[*name] == *value);
    let mut body = Map::from_iter([("id".to_owned(), task["id"].clone())]);
    let written = task_keys().filter(|key| !matches!(*key, "id" | "limits") && !task[*key].is_null());
    for key in written.filter(|key| !is_default(key)) {
        body.insert(key.to_owned(), task[key].clone());
    }
    // The pattern of a preset is the preset's.
    if body.contains_key("preset") {
        body.remove("cron");
    }
    if task["retryPolicy"]["maxAttempts"] == 1 {
        body.remove("retryPolicy");
    }
    let now = SystemClock.now().to_string();
    if body.contains_key("at") && task["nextRunAt"].as_str().is_none_or(|next| next < now.as_str()) {
        body.insert("allowPast".to_owned(), true.into());
    }
    Value::Object(body)
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

fn write(directory: &Path, plugins: &[Value], plain: &[Value], with_nulls: &[Value]) -> anyhow::Result<()> {
    let [toml_file, json_file] = FILES.map(|file| directory.join(file));
    let declared = json!({"plugin": plugins, "task": plain});
    let table: toml::Table = serde_json::from_value(declared).context("cannot be written as TOML")?;
    let text = toml::to_string_pretty(&table)?;
    std::fs::write(&toml_file, text).with_context(|| format!("cannot write {}", toml_file.display()))?;
    if !with_nulls.is_empty() {
        let text = format!("{:#}\n", json!({"task": with_nulls}));
        std::fs::write(&json_file, text).with_context(|| format!("cannot write {}", json_file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_authored_is_written() {
        let task = json!({"id": "a", "type": "schedule", "preset": "@daily", "cron": "0 0 * * *", "isPaused": false,
            "nextRunAt": "x", "retryPolicy": {"maxAttempts": 1}, "misfire": "runOnce", "overlap": "skip",
            "limits": {"fuel": 1}, "metadata": {"x": null}});
        let expected = json!({"id": "a", "type": "schedule", "preset": "@daily", "overlap": "skip",
            "metadata": {"x": null}});
        assert_eq!(authored(&task), expected);
        assert!(has_null(&expected) && !has_null(&json!({"a": [1, "b"]})));
    }
}
