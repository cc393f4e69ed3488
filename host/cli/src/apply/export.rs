//! `export`: what is on a server, in the form that `apply` reads.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use crate::args::ExportArgs;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Output, count};
use crate::progress::Steps;

/// The file of what TOML can say, and that of the rest: TOML has no null.
const FILES: [&str; 2] = ["innkeeper.toml", "innkeeper.json"];

/// The lists of an answer, and the sections that they become.
const LISTS: [(&str, &str); 4] =
    [("presets", "preset"), ("plugins", "plugin"), ("config", "config"), ("tasks", "task")];

/// Writes what the tenant has into a folder.
///
/// # Errors
/// [`Failure::Usage`] if the folder is not empty; as [`Failure`] tells them apart.
pub(crate) async fn export(args: ExportArgs, client: &Client, output: Output) -> Result<(), Failure> {
    ensure_empty(&args.directory).map_err(Failure::Usage)?;
    let mut found = fetch(client).await?;
    for preset in found.list("presets") {
        if preset["description"] == "" {
            preset["description"] = Value::Null;
        }
    }
    write_components(&args.directory, found.list("plugins"), client, output).await?;
    let secrets = name_secrets(found.list("config"));
    let pinned = pinned_elsewhere(&found);
    let counts = LISTS.map(|(list, _)| found.0[list].as_array().map_or(0, Vec::len));
    write(&args.directory, found)?;
    let [presets, plugins, values, tasks] = counts;
    let path = args.directory.display().to_string();
    let shown = json!({"path": path, "presets": presets, "plugins": plugins, "config": values, "tasks": tasks,
        "secrets": secrets.iter().map(|(key, env)| json!({"key": key, "env": env})).collect::<Vec<_>>()});
    output.done(&shown, |_| told(&path, counts))?;
    warn(&secrets, &pinned);
    Ok(())
}

fn told(path: &str, [presets, plugins, values, tasks]: [usize; 4]) -> String {
    let mut parts = vec![count(plugins, "plugin"), count(tasks, "task")];
    parts.extend((values > 0).then(|| count(values, "configured value")));
    parts.extend((presets > 0).then(|| count(presets, "preset")));
    let last = parts.pop().unwrap_or_default();
    format!("{path} holds {} and {last}", parts.join(", "))
}

/// What is not in the files, on standard error.
fn warn(secrets: &[(String, String)], pinned: &[String]) {
    if !secrets.is_empty() {
        let variables: Vec<_> = secrets.iter().map(|(_, variable)| variable.as_str()).collect();
        eprintln!(
            "the text of {} is not in it: set {} where it is applied",
            count(secrets.len(), "secret"),
            variables.join(", ")
        );
    }
    for task in pinned {
        eprintln!("{task} names a version that is not the active one, which is not in it");
    }
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

/// What the tenant has, as the server tells it.
struct Found(Value);

impl Found {
    fn list(&mut self, name: &str) -> &mut Vec<Value> {
        if !self.0[name].is_array() {
            self.0[name] = json!([]);
        }
        self.0[name].as_array_mut().expect("it was made one")
    }
}

async fn fetch(client: &Client) -> Result<Found, Failure> {
    let mut found = Found(client.get(&["export"], &[]).await?);
    while let Some(cursor) = found.0["nextCursor"].as_str().map(str::to_owned) {
        let query = [("cursor", cursor), ("limit", "1000".to_owned())];
        let mut page = Found(client.get(&["export"], &query).await?);
        found.list("tasks").append(page.list("tasks"));
        found.0["nextCursor"] = page.0["nextCursor"].take();
    }
    Ok(found)
}

/// Writes the component of each plugin, which then names it by its file.
async fn write_components(
    directory: &Path,
    plugins: &mut [Value],
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let steps = Steps::start("downloading", plugins.len(), output.is_quiet());
    for plugin in plugins {
        let Some(name) = plugin["name"].as_str() else { continue };
        let component = client.bytes(&["plugins", name, "component"]).await?;
        let file = format!("{name}.wasm");
        let path = directory.join(&file);
        std::fs::write(&path, component).with_context(|| format!("cannot write {}", path.display()))?;
        plugin["path"] = file.into();
        steps.step();
    }
    steps.finish();
    Ok(())
}

/// Names the variable of each secret; gives them by their keys.
fn name_secrets(values: &mut [Value]) -> Vec<(String, String)> {
    let mut secrets = Vec::new();
    let mut taken = BTreeSet::new();
    for value in values {
        if value["secret"] != true {
            value["secret"] = Value::Null;
            continue;
        }
        let key = value["key"].as_str().unwrap_or_default().to_owned();
        let plain =
            |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
        // No secret shall be mistaken for a variable that means something else.
        let mut variable: String = "SECRET_".chars().chain(key.chars().map(plain)).collect();
        while !taken.insert(variable.clone()) {
            variable.push('_');
        }
        value["secret"] = json!({"env": variable});
        secrets.push((key, variable));
    }
    secrets
}

/// Tasks that name another version than the active one.
fn pinned_elsewhere(found: &Found) -> Vec<String> {
    let active = |name: &str, digest: &str| {
        let plugins = found.0["plugins"].as_array().into_iter().flatten();
        plugins.into_iter().any(|plugin| plugin["name"] == *name && plugin["digest"] == *digest)
    };
    let tasks = found.0["tasks"].as_array().into_iter().flatten();
    let pinned = tasks.filter(|task| {
        let plugin = task["plugin"].as_str().and_then(|plugin| plugin.split_once('@'));
        plugin.is_some_and(|(name, digest)| !active(name, digest))
    });
    pinned.filter_map(|task| Some(format!("the task {}", task["id"].as_str()?))).collect()
}

/// Leaves out what has no value, at the top of a thing that is declared; a task may mean it in its metadata.
fn without_nulls(thing: Value) -> Value {
    let Value::Object(mut fields) = thing else { return thing };
    fields.retain(|_, value| !value.is_null());
    // The file says what the digest is of.
    if fields.contains_key("path") {
        fields.remove("digest");
    }
    Value::Object(fields)
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

fn write(directory: &Path, mut found: Found) -> anyhow::Result<()> {
    let (mut plain, mut with_nulls) = (Map::new(), Map::new());
    for (list, section) in LISTS {
        let things = std::mem::take(found.list(list)).into_iter().map(without_nulls);
        let (nulls, others): (Vec<_>, Vec<_>) = things.partition(has_null);
        for (file, things) in [(&mut plain, others), (&mut with_nulls, nulls)] {
            if !things.is_empty() {
                file.insert(section.to_owned(), things.into());
            }
        }
    }
    let [toml_file, json_file] = FILES.map(|file| directory.join(file));
    let table: toml::Table = serde_json::from_value(plain.into()).context("cannot be written as TOML")?;
    let text = toml::to_string_pretty(&table)?;
    std::fs::write(&toml_file, text).with_context(|| format!("cannot write {}", toml_file.display()))?;
    if !with_nulls.is_empty() {
        let text = format!("{:#}\n", Value::Object(with_nulls));
        std::fs::write(&json_file, text).with_context(|| format!("cannot write {}", json_file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_has_a_variable_of_its_own() {
        let mut values = [
            json!({"key": "api-token", "value": null, "secret": true}),
            json!({"key": "plain", "value": "a", "secret": false}),
            json!({"key": "api.token", "value": null, "secret": true}),
        ];
        let secrets = name_secrets(&mut values);
        assert_eq!(secrets[0], ("api-token".to_owned(), "SECRET_API_TOKEN".to_owned()));
        assert_eq!(values[2]["secret"], json!({"env": "SECRET_API_TOKEN_"}));
        assert_eq!(without_nulls(values[1].clone()), json!({"key": "plain", "value": "a"}));
    }

    #[test]
    fn what_toml_cannot_say_goes_into_json() {
        let folder = tempfile::tempdir().expect("a folder");
        let found = json!({"presets": [], "plugins": [{"name": "p", "path": "p.wasm", "digest": "1", "grants": null}],
            "tasks": [{"id": "a", "metadata": {"x": null}}, {"id": "b"}]});
        write(folder.path(), Found(found)).expect("it is written");
        let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).expect("a file");
        assert_eq!(
            read("innkeeper.toml"),
            "[[plugin]]\nname = \"p\"\npath = \"p.wasm\"\n\n[[task]]\nid = \"b\"\n"
        );
        let json: Value = serde_json::from_str(&read("innkeeper.json")).expect("JSON");
        assert_eq!(json, json!({"task": [{"id": "a", "metadata": {"x": null}}]}));
    }

    #[test]
    fn a_version_that_is_not_exported_is_named() {
        let found = json!({"plugins": [{"name": "p", "digest": "1"}],
            "tasks": [{"id": "a", "plugin": "p@1"}, {"id": "b", "plugin": "p@2"}, {"id": "c", "plugin": "p"}]});
        assert_eq!(pinned_elsewhere(&Found(found)), ["the task b"]);
        assert_eq!(told("out", [0, 2, 1, 1]), "out holds 2 plugins, 1 task and 1 configured value");
    }
}
