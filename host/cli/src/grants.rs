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
    output.done(&grants, describe)?;
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
    let before = client.get(&path(name), &[]).await?;
    for absent in less.iter().filter(|grant| !is_granted(&before, grant)) {
        eprintln!("{} was not granted", absent.entry);
    }
    let grants = client.patch(&path(name), &json!({"deny": lists(less)})).await?;
    output.done(&grants, describe)?;
    Ok(())
}

/// Adds grants to those of a plugin, whoever else changes them meanwhile. Gives all of them.
async fn extend(name: &PluginName, more: &[GrantText], client: &Client) -> Result<Value, Failure> {
    if more.is_empty() {
        return client.get(&path(name), &[]).await;
    }
    client.patch(&path(name), &json!({"allow": lists(more)})).await
}

fn path(name: &PluginName) -> [&str; 3] {
    ["plugins", name.as_str(), "grants"]
}

/// Grants as the API takes them.
fn lists(grants: &[GrantText]) -> Value {
    let entries = |list: &str| -> Vec<&str> {
        grants.iter().filter(|grant| grant.list == list).map(|grant| grant.entry.as_str()).collect()
    };
    LISTS.into_iter().map(|list| (list.to_owned(), json!(entries(list)))).collect()
}

fn is_granted(grants: &Value, grant: &GrantText) -> bool {
    let list = grants[grant.list].as_array().into_iter().flatten();
    list.into_iter().any(|entry| entry.as_str() == Some(grant.entry.as_str()))
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
    fn grants_are_sent_by_their_lists() {
        let grant = |text: &str| text.parse::<GrantText>().expect("a grant");
        let sent = lists(&[grant("http=https://a.org:443"), grant("kv=x"), grant("http=https://b.org")]);
        assert_eq!(
            sent,
            json!({"http": ["https://a.org", "https://b.org"], "keyValue": ["x"], "config": []})
        );
        assert!(is_granted(&sent, &grant("http=https://a.org")) && !is_granted(&sent, &grant("config=x")));
        assert!(describe(&sent).contains('x'));
        assert_eq!(describe(&json!({})), "nothing is granted");
    }
}
