//! `plugin grants`, `allow` and `deny`: what plugins may reach.

use innkeeper_model::id::PluginName;
use serde_json::{Value, json};

use crate::args::GrantText;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Output, fields, json_text};

const LISTS: [&str; 3] = ["http", "keyValue", "config"];

/// Shows what a plugin may reach.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn show(name: &PluginName, client: &Client, output: Output) -> Result<(), Failure> {
    let grants = client.get(&path(name), &[]).await?;
    output.answer(&grants, describe)?;
    Ok(())
}

/// Lets a plugin reach more.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn allow(
    name: &PluginName,
    more: &[GrantText],
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let grants = extend(name, more, client).await?;
    output.answer(&grants, describe)?;
    Ok(())
}

/// Takes back what a plugin may reach. What it may not reach anyway is said, and no error.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn deny(
    name: &PluginName,
    less: &[GrantText],
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let mut grants = client.get(&path(name), &[]).await?;
    for absent in less.iter().filter(|grant| !remove(&mut grants, grant)) {
        eprintln!("{} was not granted", absent.entry);
    }
    let (_, grants) = client.put(&path(name), &[], &grants).await?;
    output.answer(&grants, describe)?;
    Ok(())
}

/// Adds grants to those of a plugin. Gives all of them.
async fn extend(name: &PluginName, more: &[GrantText], client: &Client) -> Result<Value, Failure> {
    let mut grants = client.get(&path(name), &[]).await?;
    if more.is_empty() {
        return Ok(grants);
    }
    for grant in more {
        add(&mut grants, grant);
    }
    Ok(client.put(&path(name), &[], &grants).await?.1)
}

fn path(name: &PluginName) -> [&str; 3] {
    ["plugins", name.as_str(), "grants"]
}

fn add(grants: &mut Value, grant: &GrantText) {
    let entry = json!(grant.entry);
    if let Some(list) = grants[grant.list].as_array_mut()
        && !list.contains(&entry)
    {
        list.push(entry);
    }
}

fn remove(grants: &mut Value, grant: &GrantText) -> bool {
    let Some(list) = grants[grant.list].as_array_mut() else { return false };
    let before = list.len();
    list.retain(|entry| entry.as_str() != Some(grant.entry.as_str()));
    list.len() < before
}

fn describe(grants: &Value) -> String {
    let lists = LISTS.map(|list| {
        let entries = grants[list].as_array().into_iter().flatten().map(json_text);
        (list, entries.collect::<Vec<_>>().join(", "))
    });
    if lists.iter().all(|(_, entries)| entries.is_empty()) {
        return "nothing is granted".to_owned();
    }
    fields(&lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_added_once_and_taken_back() {
        let mut grants = json!({"http": ["https://a.org"], "keyValue": [], "config": []});
        let grant = |text: &str| text.parse::<GrantText>().expect("a grant");
        add(&mut grants, &grant("http=https://a.org"));
        add(&mut grants, &grant("kv=x"));
        assert_eq!(grants, json!({"http": ["https://a.org"], "keyValue": ["x"], "config": []}));
        assert!(remove(&mut grants, &grant("http=https://a.org:443")));
        assert!(!remove(&mut grants, &grant("config=y")));
        assert_eq!(grants, json!({"http": [], "keyValue": ["x"], "config": []}));
        assert!(describe(&grants).contains('x'));
        assert_eq!(describe(&json!({})), "nothing is granted");
    }
}
