//! `apply`: bringing a server to what files declare. The server says what differs, is given the components that it lacks, and
//! then changes all of it in one transaction, or nothing.

mod document;
mod export;
mod mistake;
mod place;
mod show;
mod source;

use std::collections::BTreeSet;

use anyhow::anyhow;
use serde_json::{Value, json};

pub(crate) use self::export::export;
pub(crate) use self::mistake::Mistakes;

use self::document::{Component, Declared};
use self::mistake::Mistake;
use crate::args::ApplyArgs;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::Output;
use crate::problem::Problem;
use crate::progress::{Upload, Work};

/// Shows what differs from what is declared and, unless it is a dry run, changes it.
///
/// # Errors
/// [`Failure::Usage`] if a file cannot be read; [`Failure::Failed`] if the server refuses something. Then nothing is changed.
pub(crate) async fn apply(args: ApplyArgs, client: &Client, output: Output) -> Result<(), Failure> {
    let mut declared = document::read(&args.file).map_err(Failure::Usage)?;
    declared.body.insert("prune".to_owned(), args.prune.into());
    let body = Value::Object(std::mem::take(&mut declared.body));
    let (tag, mut plan) = compare(&body, &declared, client, output).await?;
    for note in &declared.notes {
        eprintln!("{note}: the secret stays as it is");
    }
    upload_missing(&plan, &declared, client, output).await?;
    let changes = plan["changes"].as_array().cloned().unwrap_or_default();
    if args.dry_run {
        let shown = shown(&changes, true);
        return Ok(output.answer(&shown, |_| show::describe(&changes) + &show::sum(&changes, true))?);
    }
    output.show(&show::describe(&changes))?;
    if !changes.is_empty() {
        let work = Work::start("changing", output.is_quiet());
        let answer = client.apply(&body, Some(&tag)).await;
        work.finish();
        plan = answer.map_err(|failure| refused(failure, &declared))?.1;
    }
    let made = plan["changes"].as_array().cloned().unwrap_or_default();
    Ok(output.done(&shown(&made, false), |_| show::sum(&made, false))?)
}

fn shown(changes: &[Value], is_dry: bool) -> Value {
    json!({"changes": changes, "dryRun": is_dry})
}

/// What differs, and the tag that stands for it.
async fn compare(
    body: &Value,
    declared: &Declared,
    client: &Client,
    output: Output,
) -> Result<(String, Value), Failure> {
    let work = Work::start("comparing", output.is_quiet());
    let compared = client.apply(body, None).await;
    work.finish();
    compared.map_err(|failure| refused(failure, declared))
}

/// Gives the server the components that it lacks, which it checks; every one that it refuses is named.
async fn upload_missing(
    plan: &Value,
    declared: &Declared,
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let missing = plan["missing"].as_array().into_iter().flatten().filter_map(Value::as_str);
    // Two plugins may have one component.
    let digests: BTreeSet<_> = missing.collect();
    let of = |digest: &str| declared.components.iter().find(|component| component.digest == digest);
    let needed: Vec<_> = digests.into_iter().filter_map(of).collect();
    let mut refusals = Vec::new();
    for (index, component) in needed.iter().enumerate() {
        let name = match needed.len() {
            1 => component.plugin.clone(),
            count => format!("{} ({} of {count})", component.plugin, index + 1),
        };
        if let Err(problem) = stage(component, &name, client, output).await? {
            refusals.push(component.locate(&problem.describe()));
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(nothing_changed(refusals.len(), refusals)) }
}

/// The outer error is that of the way to the server, the inner one its refusal.
async fn stage(
    component: &Component,
    name: &str,
    client: &Client,
    output: Output,
) -> Result<Result<(), Problem>, Failure> {
    let upload = Upload::start(name, component.bytes.len(), output.is_quiet());
    let staged = client.stage(upload.body(component.bytes.clone())).await;
    upload.finish();
    match staged {
        Ok(_) => Ok(Ok(())),
        Err(Failure::Refused(problem)) if matches!(problem.status, 400 | 413 | 422) => Ok(Err(problem)),
        Err(failure) => Err(failure),
    }
}

/// A refusal, with the place of everything that is wrong.
fn refused(failure: Failure, declared: &Declared) -> Failure {
    match failure {
        Failure::Refused(problem) if problem.status == 422 => {
            let mut located: Vec<_> = problem.errors.iter().map(|error| declared.locate(error)).collect();
            let refusals = located.len();
            // A secret without a text is refused where there is none yet.
            located.extend(declared.notes.iter().cloned());
            nothing_changed(refusals, located)
        }
        Failure::Refused(problem) if problem.status == 412 => Failure::Failed(anyhow!(
            "something has changed on the server since it was compared, so nothing is changed; apply again"
        )),
        other => other,
    }
}

fn nothing_changed(refusals: usize, all: Vec<Mistake>) -> Failure {
    let headline = Some(format!("{refusals} refused, nothing is changed"));
    Failure::Failed(Mistakes { headline, all }.into())
}
