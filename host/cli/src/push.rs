//! `plugin push`: an upload that goes on at the server, whatever becomes of the connection, and is watched from here.

use std::time::Duration;

use innkeeper_model::id::{Digest, PluginName};
use serde_json::Value;

use crate::args::Push;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::Output;
use crate::plugins::{describe, read, short_digest};
use crate::problem::Problem;
use crate::progress::Upload;
use crate::rollouts;

/// How often the server is asked how far it is.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it may be out of reach, one time after the other, before that is a failure.
const UNREACHABLE_MAX: u32 = 60;

/// Uploads a component and says what came of it.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn push(push: Push, client: &Client, output: Output) -> Result<(), Failure> {
    let component = read(&push.file).map_err(Failure::Usage)?;
    let digest = Digest::of(&component).to_string();
    let bar = Upload::start(push.name.as_str(), component.len(), output.is_quiet());
    let uploaded = upload(&push, &digest, component, &bar, client).await;
    bar.finish();
    let command = format!("innkeeper plugin push {} {}", push.name, push.file.display());
    let with_remedy = |failure| rollouts::with_remedy(failure, &command, &push.rollout);
    let (mut is_changed, mut answer) = uploaded.map_err(with_remedy)?;
    if push.rollout.canary.is_some() {
        let was_active = answer["version"]["isActive"] == true;
        let activated = activate(&push, &digest, was_active, client).await;
        (is_changed, answer) = (true, activated.map_err(with_remedy)?);
    }
    let done = outcome(&push, is_changed, &answer);
    output.done(&answer, |answer| format!("{done}\n{}{}", describe(answer), rollouts::describe(answer)))?;
    Ok(())
}

fn outcome(push: &Push, is_changed: bool, answer: &Value) -> String {
    let is_active = answer["version"]["isActive"] == true;
    match (is_changed, is_active) {
        (true, true) => "pushed".to_owned(),
        (false, true) => "unchanged: this version was active already".to_owned(),
        (_, false) => {
            let name = &push.name;
            let digest = answer["version"]["digest"].as_str().map(short_digest);
            let digest = digest.unwrap_or("DIGEST");
            format!("pushed, and not active: innkeeper plugin activate {name} {digest}")
        }
    }
}

/// Activates what was pushed if it does well with the sample.
async fn activate(push: &Push, digest: &str, was_active: bool, client: &Client) -> Result<Value, Failure> {
    let body = rollouts::body(Some(digest), &push.rollout);
    let activated = client.post(&["plugins", push.name.as_str(), "activate"], Some(&body)).await;
    activated.map_err(|failure| {
        let Failure::Refused(mut problem) = failure else { return failure };
        let stays = if was_active { "stays active, as it was" } else { "is kept, and not active" };
        problem.hint = Some(format!("version {} {stays}", short_digest(digest)).into());
        Failure::Refused(problem)
    })
}

/// Uploads, and waits for what comes of it. The first part is whether that is something new.
async fn upload(
    push: &Push,
    digest: &str,
    component: Vec<u8>,
    bar: &Upload,
    client: &Client,
) -> Result<(bool, Value), Failure> {
    let query = if push.no_activate || push.rollout.canary.is_some() {
        vec![("activate", false.to_string())]
    } else {
        rollouts::query(&push.rollout)
    };
    let path = ["plugins", push.name.as_str()];
    match client.upload_in_background(&path, &query, bar.body(component)).await {
        Ok((202, _)) => {}
        Ok((status, answer)) => return Ok((status == 201, answer)),
        // The connection is lost; if the upload goes on, nothing else is.
        Err(failure @ Failure::Unreachable { .. }) => match state(&push.name, digest, client).await {
            Ok(state) if state["state"] == "compiling" => {}
            _ => return Err(failure),
        },
        Err(failure) => return Err(failure),
    }
    watch(&push.name, digest, bar, client).await
}

async fn watch(
    name: &PluginName,
    digest: &str,
    bar: &Upload,
    client: &Client,
) -> Result<(bool, Value), Failure> {
    let mut unreachable = 0;
    loop {
        match state(name, digest, client).await {
            Ok(state) if state["state"] == "compiling" => {
                unreachable = 0;
                bar.compiling(state["elapsedMs"].as_u64().unwrap_or(0));
            }
            Ok(state) => return ended(&state),
            Err(Failure::Unreachable { .. }) if unreachable < UNREACHABLE_MAX => unreachable += 1,
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn state(name: &PluginName, digest: &str, client: &Client) -> Result<Value, Failure> {
    client.get(&["plugins", name.as_str(), "versions", digest], &[]).await
}

/// What an upload came to that is over.
fn ended(state: &Value) -> Result<(bool, Value), Failure> {
    let answer = state["answer"].clone();
    match state["status"].as_u64().and_then(|status| u16::try_from(status).ok()) {
        Some(status) if status < 300 => Ok((status == 201, answer)),
        Some(status) => Err(Failure::Refused(Problem::from_answer(status, answer.to_string().as_bytes()))),
        None => Err(Failure::Failed(anyhow::anyhow!(
            "the server stopped before it had compiled the component, and nothing is kept of it: push it again"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_upload_came_to_is_told_as_if_it_had_been_waited_for() {
        let (is_new, answer) =
            ended(&json!({"state": "ready", "status": 201, "answer": {"name": "p"}})).expect("a success");
        assert_eq!((is_new, &answer["name"]), (true, &json!("p")));
        let refused =
            json!({"state": "refused", "status": 409, "answer": {"code": "grants_needed", "detail": "more"}});
        let Err(Failure::Refused(problem)) = ended(&refused) else { panic!("a refusal") };
        assert_eq!((problem.status, problem.code.as_deref()), (409, Some("grants_needed")));
        let interrupted = ended(&json!({"state": "interrupted", "status": null, "answer": null}));
        assert!(interrupted.expect_err("a failure").message().contains("push it again"));
    }
}
