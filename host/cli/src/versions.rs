//! `plugin versions`, `activate` and `rollback`.

use innkeeper_model::id::PluginName;
use serde_json::{Value, json};

use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Column, Output, bytes, json_text, short_time};
use crate::plugins::{describe, short_digest};

const COLUMNS: [Column; 4] = [
    Column::new("DIGEST", |version| short_digest(&json_text(&version["digest"])).to_owned()),
    Column::new("ACTIVE", |version| if version["isActive"] == true { "yes" } else { "" }.to_owned()),
    Column::new("SIZE", |version| version["size"].as_u64().map_or_else(String::new, bytes)),
    Column::new("UPLOADED", |version| short_time(&version["createdAt"])),
];

/// Lists the versions of a plugin.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn list(name: &PluginName, client: &Client, output: Output) -> Result<(), Failure> {
    output.list((versions(name, client).await?, false), &COLUMNS, "no versions")?;
    Ok(())
}

/// Makes the version with this digest, or this beginning of one, the active one.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn activate(
    name: &PluginName,
    digest: &str,
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let digest = whole_digest(&versions(name, client).await?, digest)?;
    change(name, "activate", Some(&json!({"digest": digest})), client, output).await
}

/// Makes the version that was uploaded before the active one the active one, or the one that is named.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn roll_back(
    name: &PluginName,
    digest: Option<&str>,
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    match digest {
        Some(digest) => activate(name, digest, client, output).await,
        None => change(name, "rollback", None, client, output).await,
    }
}

async fn change(
    name: &PluginName,
    verb: &str,
    body: Option<&Value>,
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let plugin = client.post(&["plugins", name.as_str(), verb], body).await?;
    output.answer(&plugin, |plugin| format!("active now\n{}", describe(plugin)))?;
    Ok(())
}

async fn versions(name: &PluginName, client: &Client) -> Result<Vec<Value>, Failure> {
    let mut answer = client.get(&["plugins", name.as_str(), "versions"], &[]).await?;
    match answer["items"].take() {
        Value::Array(versions) => Ok(versions),
        _ => Ok(Vec::new()),
    }
}

/// The digest among `versions` that begins with `text`.
fn whole_digest(versions: &[Value], text: &str) -> Result<String, Failure> {
    let digests = versions.iter().map(|version| json_text(&version["digest"]));
    let found: Vec<String> =
        digests.filter(|digest| digest.starts_with(&text.to_ascii_lowercase())).collect();
    match found.as_slice() {
        [digest] => Ok(digest.clone()),
        [] => Err(Failure::usage(format!("no version's digest begins with `{text}`"))),
        several => {
            Err(Failure::usage(format!("`{text}` begins {} digests: write more of it", several.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_digest_is_enough_if_it_is_the_only_one() {
        let versions = [json!({"digest": "ab12"}), json!({"digest": "ab34"}), json!({"digest": "cd56"})];
        assert_eq!(whole_digest(&versions, "CD").expect("a digest"), "cd56");
        assert!(whole_digest(&versions, "ab").expect_err("several").message().contains("2 digests"));
        assert!(whole_digest(&versions, "x").expect_err("none").message().contains("`x`"));
    }
}
