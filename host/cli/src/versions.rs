//! `plugin versions`, `activate`, `rollback` and `prune`.

use innkeeper_model::id::PluginName;
use serde_json::{Value, json};

use crate::args::{Activate, Rollback, RolloutArgs};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Column, Output, bytes, count, json_text, short_time};
use crate::plugins::{describe, short_digest};
use crate::rollouts;

/// How versions are listed. The runs are those that have not ended.
pub(crate) const COLUMNS: [Column; 7] = [
    Column::new("DIGEST", |version| short_digest(&json_text(&version["digest"])).to_owned()),
    Column::new("ACTIVE", |version| if version["isActive"] == true { "yes" } else { "" }.to_owned()),
    Column::new("CALLED AS", |version| json_text(&version["handler"])),
    Column::new("SIZE", |version| version["size"].as_u64().map_or_else(String::new, bytes)),
    Column::new("UPLOADED", |version| short_time(&version["createdAt"])),
    Column::optional("BY", |version| json_text(&version["uploadedBy"])),
    Column::new("OPEN RUNS", |version| json_text(&version["runs"])),
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
pub(crate) async fn activate(args: &Activate, client: &Client, output: Output) -> Result<(), Failure> {
    let digest = whole_digest(&versions(&args.name, client).await?, &args.digest)?;
    change(&args.name, Some(&digest), &args.rollout, client, output).await
}

/// Makes the version that was uploaded before the active one the active one, or the one that is named.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn roll_back(args: &Rollback, client: &Client, output: Output) -> Result<(), Failure> {
    let digest = match &args.digest {
        Some(digest) => Some(whole_digest(&versions(&args.name, client).await?, digest)?),
        None => None,
    };
    change(&args.name, digest.as_deref(), &args.rollout, client, output).await
}

async fn change(
    name: &PluginName,
    digest: Option<&str>,
    rollout: &RolloutArgs,
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let verb = if digest.is_some() { "activate" } else { "rollback" };
    let body = rollouts::body(digest, rollout);
    let changed = client.post(&["plugins", name.as_str(), verb], Some(&body)).await;
    let plugin = changed.map_err(|failure| {
        let digest = digest.map(|digest| format!(" {}", short_digest(digest))).unwrap_or_default();
        rollouts::with_remedy(failure, &format!("innkeeper plugin {verb} {name}{digest}"), rollout)
    })?;
    output
        .done(&plugin, |plugin| format!("active now\n{}{}", describe(plugin), rollouts::describe(plugin)))?;
    Ok(())
}

/// Deletes the version with this digest, or this beginning of one.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn delete(
    name: &PluginName,
    digest: &str,
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let digest = whole_digest(&versions(name, client).await?, digest)?;
    let answer = client.delete(&["plugins", name.as_str(), "versions", &digest]).await?;
    output.done(&answer, |_| format!("version {} of {name} is deleted", short_digest(&digest)))?;
    Ok(())
}

/// Deletes the versions that nobody needs but for the latest `keep` of them.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn prune(
    name: &PluginName,
    keep: usize,
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let mut deleted = Vec::new();
    for digest in superfluous(&versions(name, client).await?, keep) {
        match client.delete(&["plugins", name.as_str(), "versions", &digest]).await {
            Ok(_) => deleted.push(digest),
            // Somebody needs it again, or has deleted it, since it was listed.
            Err(Failure::Refused(problem)) if matches!(problem.status, 404 | 409) => {}
            Err(failure) => return Err(failure),
        }
    }
    let count = count(deleted.len(), "version");
    output.done(&json!({"deleted": deleted}), |_| format!("{count} of {name} deleted"))?;
    Ok(())
}

/// The digests of those among `versions`, the latest first, that can go.
fn superfluous(versions: &[Value], keep: usize) -> Vec<String> {
    let is_needed =
        |version: &Value| version["isActive"] == true || version["runs"] != 0 || version["tasks"] != 0;
    let unneeded = versions.iter().filter(|version| !is_needed(version)).skip(keep);
    unneeded.map(|version| json_text(&version["digest"])).collect()
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
    fn what_somebody_needs_is_not_superfluous() {
        let version = |digest: &str, active: bool, runs: u64, tasks: u64| json!({"digest": digest, "isActive": active, "runs": runs, "tasks": tasks});
        let versions = [
            version("e", false, 0, 0),
            version("d", true, 0, 0),
            version("c", false, 1, 0),
            version("b", false, 0, 1),
            version("a", false, 0, 0),
        ];
        assert_eq!(superfluous(&versions, 0), ["e", "a"]);
        assert_eq!(superfluous(&versions, 1), ["a"]);
        assert!(superfluous(&versions, 2).is_empty());
    }

    #[test]
    fn the_beginning_of_a_digest_is_enough_if_it_is_the_only_one() {
        let versions = [json!({"digest": "ab12"}), json!({"digest": "ab34"}), json!({"digest": "cd56"})];
        assert_eq!(whole_digest(&versions, "CD").expect("a digest"), "cd56");
        assert!(whole_digest(&versions, "ab").expect_err("several").message().contains("2 digests"));
        assert!(whole_digest(&versions, "x").expect_err("none").message().contains("`x`"));
    }
}
