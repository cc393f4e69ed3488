//! `apply`: bringing a server to what files declare. Everything is checked first, on the server, by dry runs; then the
//! difference is shown; then only what differs is changed.

mod document;
mod export;
mod plan;

use std::path::Path;

use anyhow::anyhow;
use innkeeper_model::id::Digest;
use serde_json::{Value, json};

pub(crate) use self::export::export;

use self::document::{DeclaredPlugin, DeclaredTask, Document};
use self::plan::{Action, Change, Kind};
use crate::args::ApplyArgs;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::Output;
use crate::problem::Problem;
use crate::progress::Upload;

/// Shows what differs from what is declared and, unless it is a dry run, changes it.
///
/// # Errors
/// [`Failure::Usage`] if a file cannot be read; [`Failure::Failed`] if the server refuses something: then nothing is
/// changed, but for what somebody else changes between the check and the change.
pub(crate) async fn apply(args: ApplyArgs, client: &Client, output: Output) -> Result<(), Failure> {
    let documents = document::read(&args.file).map_err(Failure::Usage)?;
    let changes = plan(&documents, args.prune, client).await?;
    let shown =
        json!({"changes": changes.iter().map(Change::to_json).collect::<Vec<_>>(), "dryRun": args.dry_run});
    if args.dry_run {
        return Ok(output.answer(&shown, |_| plan::describe(&changes) + &plan::sum(&changes, true))?);
    }
    output.show(&plan::describe(&changes))?;
    let sum = plan::sum(&changes, false);
    for change in changes {
        let what = change.title();
        make(change, client, output).await.map_err(|failure| in_context(failure, &what))?;
    }
    Ok(output.done(&shown, |_| sum)?)
}

/// What has to change, if the server would take all of it.
async fn plan(documents: &[Document], prune: bool, client: &Client) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    let mut refusals = Vec::new();
    for document in documents {
        for plugin in &document.plugins {
            match try_plugin(plugin, client).await? {
                Ok(change) => changes.extend(change),
                Err(problem) => refusals.push(document.locate(plugin.line, &plugin.name, &problem)),
            }
        }
    }
    let assumed: Vec<_> =
        documents.iter().flat_map(|one| &one.plugins).map(|one| one.name.as_str()).collect();
    for document in documents {
        for task in &document.tasks {
            match try_task(task, &assumed.join(","), client).await? {
                Ok(change) => changes.extend(change),
                Err(problem) => refusals.push(document.locate_in_task(task, &problem)),
            }
        }
    }
    if !refusals.is_empty() {
        let count = refusals.len();
        return Err(Failure::Failed(anyhow!("{count} refused, nothing is changed\n{}", refusals.join("\n"))));
    }
    if prune {
        changes.extend(superfluous(documents, client).await?);
    }
    Ok(changes)
}

/// The outer error is that of the way to the server, the inner one its refusal.
async fn try_plugin(
    plugin: &DeclaredPlugin,
    client: &Client,
) -> Result<Result<Option<Change>, Problem>, Failure> {
    let digest = Digest::of(&plugin.component).to_string();
    let current = optional(client.get(&["plugins", &plugin.name], &[]).await)?;
    let before = current.as_ref().and_then(|current| current["digest"].as_str()).map(str::to_owned);
    if before.as_deref() == Some(&digest) {
        return Ok(Ok(None));
    }
    let query = [("dryRun", "true".to_owned())];
    let tried = client.upload(&["plugins", &plugin.name], &query, plugin.component.clone().into()).await;
    let change = Change {
        action: if before.is_some() { Action::Change } else { Action::Create },
        kind: Kind::Plugin,
        name: plugin.name.clone(),
        fields: vec![("digest".to_owned(), before.map_or(Value::Null, Value::from), digest.into())],
        component: Some(plugin.component.clone()),
        body: Value::Null,
    };
    Ok(refused(tried)?.map(|_| Some(change)))
}

async fn try_task(
    task: &DeclaredTask,
    assumed: &str,
    client: &Client,
) -> Result<Result<Option<Change>, Problem>, Failure> {
    let path = ["tasks", task.id.as_str()];
    let current = optional(client.get(&path, &[]).await)?;
    let mut body = task.body.clone();
    // Whether it is paused is left alone unless it is declared.
    if let Some(paused) = current.as_ref().map(|current| current["isPaused"].clone())
        && body.get("isPaused").is_none_or(Value::is_null)
    {
        body["isPaused"] = paused;
    }
    let query = [("dryRun", "true".to_owned()), ("assumePlugins", assumed.to_owned())];
    let tried = refused(client.put(&path, &query, &body).await)?;
    Ok(tried.map(|(_, wanted)| plan::task(current.as_ref(), &wanted, body)))
}

/// What the server has and nobody declares: tasks first, so that their plugins can go.
async fn superfluous(documents: &[Document], client: &Client) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    let (tasks, _) = client.list(&["tasks"], &[], usize::MAX).await?;
    let declared = |id: &str| documents.iter().flat_map(|one| &one.tasks).any(|task| task.id == id);
    let ids = tasks.iter().filter_map(|task| task["id"].as_str());
    changes.extend(ids.filter(|id| !declared(id)).map(|id| Change::delete(Kind::Task, id)));
    let plugins = client.get(&["plugins"], &[]).await?;
    let declared =
        |name: &str| documents.iter().flat_map(|one| &one.plugins).any(|plugin| plugin.name == name);
    let names =
        plugins["items"].as_array().into_iter().flatten().filter_map(|plugin| plugin["name"].as_str());
    changes.extend(names.filter(|name| !declared(name)).map(|name| Change::delete(Kind::Plugin, name)));
    Ok(changes)
}

async fn make(change: Change, client: &Client, output: Output) -> Result<(), Failure> {
    let path = [change.kind.path(), change.name.as_str()];
    match (change.action, change.component) {
        (Action::Delete, _) => drop(client.delete(&path).await?),
        (_, Some(component)) => {
            let upload = Upload::start(&change.name, component.len(), output.is_quiet());
            let pushed = client.upload(&path, &[], upload.body(component)).await;
            upload.finish();
            pushed?;
        }
        (_, None) => drop(client.put(&path, &[], &change.body).await?),
    }
    Ok(())
}

/// `None` if what was asked for does not exist.
fn optional(answer: Result<Value, Failure>) -> Result<Option<Value>, Failure> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Refused(problem)) if problem.status == 404 => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Takes the server's refusal of a body apart from what else may fail.
fn refused<T>(answer: Result<T, Failure>) -> Result<Result<T, Problem>, Failure> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(Failure::Refused(problem)) if is_of_body(&problem) => Ok(Err(problem)),
        Err(failure) => Err(failure),
    }
}

/// Whether it is what was sent that is refused, so that there may be more to tell.
fn is_of_body(problem: &Problem) -> bool {
    matches!(problem.status, 400 | 413 | 422) || problem.code.as_deref() == Some("grants_needed")
}

fn in_context(failure: Failure, what: &str) -> Failure {
    match failure {
        Failure::Refused(problem) => Failure::Failed(anyhow!("{what}: {}", problem.describe())),
        other => other,
    }
}

/// Whether a path is a file that can be applied.
fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml" || extension == "json")
}
