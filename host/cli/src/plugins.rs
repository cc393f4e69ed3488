//! `plugin`: uploading, listing and deleting plugins.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::args::PluginVerb;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Column, Output, bytes, count, fields, json_text, short_time, time};
use crate::plugin_tools;
use crate::push;
use crate::versions;
use crate::{grants, plugin_limits};

const COLUMNS: [Column; 5] = [
    Column::new("NAME", |plugin| json_text(&plugin["name"])),
    Column::new("DIGEST", |plugin| short_digest(&json_text(&plugin["digest"])).to_owned()),
    Column::new("SIZE", size),
    Column::new("UPDATED", |plugin| short_time(&plugin["updatedAt"])),
    Column::new("QUARANTINED", |plugin| short_time(&plugin["quarantine"]["since"])),
];

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: PluginVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        PluginVerb::Push(push) => push::push(push, client, output).await?,
        PluginVerb::New(new) => plugin_tools::create(&new, output)?,
        PluginVerb::Build(build) => plugin_tools::build(&build, output).await?,
        PluginVerb::Inspect { file } => plugin_tools::inspect(&file, output).await?,
        PluginVerb::Run(run) => plugin_tools::run(run, output).await?,
        PluginVerb::Versions { name } => versions::list(&name, client, output).await?,
        PluginVerb::Activate(activate) => versions::activate(&activate, client, output).await?,
        PluginVerb::Rollback(rollback) => versions::roll_back(&rollback, client, output).await?,
        PluginVerb::Prune { name, keep } => versions::prune(&name, keep, client, output).await?,
        PluginVerb::List => {
            let mut answer = client.get(&["plugins"], &[]).await?;
            let plugins = match answer["items"].take() {
                Value::Array(plugins) => plugins,
                _ => Vec::new(),
            };
            output.list((plugins, false), &COLUMNS, "no plugins")?;
        }
        PluginVerb::Get { name } => {
            let plugin = client.get(&["plugins", name.as_str()], &[]).await?;
            output.answer(&plugin, describe)?;
        }
        PluginVerb::Grants { name } => grants::show(&name, client, output).await?,
        PluginVerb::Allow(grant) => grants::allow(&grant.name, &grant.grants, client, output).await?,
        PluginVerb::Deny(grant) => grants::deny(&grant.name, &grant.grants, client, output).await?,
        PluginVerb::Limits(limits) => plugin_limits::run(limits, client, output).await?,
        PluginVerb::Release { name } => {
            let answer = client.post(&["plugins", name.as_str(), "release"], None).await?;
            output.done(&answer, |answer| {
                let tasks = answer["resumed"].as_array().map_or(0, Vec::len);
                format!("{name} is released; {} resumed", count(tasks, "task"))
            })?;
        }
        PluginVerb::Delete { name, version: Some(digest) } => {
            versions::delete(&name, &digest, client, output).await?;
        }
        PluginVerb::Delete { name, version: None } => {
            let answer = client.delete(&["plugins", name.as_str()]).await?;
            output.done(&answer, |_| format!("{name} is deleted"))?;
        }
    }
    Ok(())
}

/// The bytes of a component.
///
/// # Errors
/// The file cannot be read, or is no WebAssembly.
pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let name = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
    ensure!(
        bytes.starts_with(b"\0asm"),
        "{name} is not a WebAssembly file: build for the target wasm32-wasip2"
    );
    Ok(bytes)
}

/// The first digits of a digest, enough to tell versions apart.
pub(crate) fn short_digest(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn size(plugin: &Value) -> String {
    plugin["size"].as_u64().map_or_else(String::new, bytes)
}

/// A plugin as text.
pub(crate) fn describe(plugin: &Value) -> String {
    let mut pairs = vec![
        ("name", json_text(&plugin["name"])),
        ("digest", json_text(&plugin["digest"])),
        ("size", size(plugin)),
        ("created", time(&plugin["createdAt"])),
        ("updated", time(&plugin["updatedAt"])),
    ];
    let quarantine = &plugin["quarantine"];
    if !quarantine.is_null() {
        pairs.push(("quarantined", time(&quarantine["since"])));
        pairs.push(("because", json_text(&quarantine["reason"])));
        pairs.push(("release", json_text(&quarantine["release"])));
    }
    let imports = plugin["imports"].as_array().into_iter().flatten().map(json_text);
    // One on each line, named once.
    pairs.extend(imports.enumerate().map(|(index, name)| (if index == 0 { "imports" } else { "" }, name)));
    fields(&pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_webassembly_is_uploaded() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.wasm");
        std::fs::write(&file, "text").expect("a file");
        assert!(read(&file).expect_err("no component").to_string().contains("wasm32-wasip2"));
        std::fs::write(&file, b"\0asm\x0d\0\x01\0").expect("a file");
        assert_eq!(read(&file).expect("a component").len(), 8);
        assert!(read(&folder.path().join("missing")).is_err());
    }
}
