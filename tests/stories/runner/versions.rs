//! Runs that wait stay on the version that they were recorded with, unless they are moved; also over a restart.

use std::sync::Arc;

use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::{Digest, PluginName};
use innkeeper_model::rollout::Rollout;
use innkeeper_runner::{Deployment, RunnerError};
use innkeeper_store::{StoreError, VersionChoice};
use serde_json::json;

use super::scripted::{Act, Scripted};
use super::stage::Stage;

/// The version that a stage opens with, and the one that takes its place.
const FIRST: &[u8] = b"component";
const SECOND: &[u8] = b"second";

/// Every first attempt fails.
fn flaky() -> Arc<Scripted> {
    Scripted::new(|invocation| match invocation.attempt {
        1 => Act::Fail(FailureKind::HandlerError),
        _ => Act::Succeed(Vec::new()),
    })
}

fn plugin() -> PluginName {
    "plugin".parse().expect("a name")
}

async fn push(stage: &Stage, component: &'static [u8], migrates: bool) -> u64 {
    let deployment =
        Deployment { rollout: Rollout { migrates, ..Rollout::default() }, ..Deployment::default() };
    let done = stage.runner.deploy(&stage.tenant, plugin(), component.into(), deployment).await;
    done.expect("a version").deployed.migrated
}

/// A stage on which a run waits a minute for its retry, recorded with the first version.
async fn waiting(sandbox: &Arc<Scripted>) -> Stage {
    let mut stage = Stage::open(sandbox).await;
    let retry = json!({"maxAttempts": 2, "delay": "60s"});
    stage.create(json!({"id": "flaky", "type": "event", "onEvent": "go", "retryPolicy": retry})).await;
    assert_eq!(stage.publish("go").await, 1);
    let first = stage.ended().await;
    assert_eq!((first.attempt, first.plugin_digest), (1, Digest::of(FIRST)));
    stage
}

#[tokio::test]
async fn a_retry_runs_the_version_that_its_run_was_recorded_with() {
    let sandbox = flaky();
    let mut stage = waiting(&sandbox).await;
    assert_eq!(push(&stage, SECOND, false).await, 0);
    stage.at(61);
    let retry = stage.ended().await;
    assert_eq!((retry.attempt, retry.plugin_digest), (2, Digest::of(FIRST)));
    assert_eq!(stage.publish("go").await, 1);
    assert_eq!(
        stage.ended().await.plugin_digest,
        Digest::of(SECOND),
        "a new run is recorded with the new one"
    );
}

#[tokio::test]
async fn a_retry_that_is_moved_runs_the_new_version() {
    let sandbox = flaky();
    let mut stage = waiting(&sandbox).await;
    assert_eq!(push(&stage, SECOND, true).await, 1);
    stage.at(61);
    let retry = stage.ended().await;
    assert_eq!((retry.attempt, retry.plugin_digest), (2, Digest::of(SECOND)));
}

#[tokio::test]
async fn both_hold_after_a_restart() {
    for (migrates, expected) in [(false, FIRST), (true, SECOND)] {
        let sandbox = flaky();
        let stage = waiting(&sandbox).await;
        push(&stage, SECOND, migrates).await;
        let now = stage.now();
        let directory = stage.close().await;
        let mut stage = Stage::open_in(directory, now, &sandbox).await;
        stage.at(61);
        let retry = stage.ended().await;
        assert_eq!((retry.attempt, retry.plugin_digest), (2, Digest::of(expected)), "moved: {migrates}");
    }
}

#[tokio::test]
async fn rolling_back_moves_runs_too_but_not_those_of_a_task_that_names_its_version() {
    let sandbox = flaky();
    let mut stage = waiting(&sandbox).await;
    assert_eq!(push(&stage, SECOND, true).await, 1);
    let pinned = format!("plugin@{}", Digest::of(SECOND));
    let config = json!({"id": "pinned", "type": "event", "onEvent": "pin", "plugin": pinned,
        "retryPolicy": {"maxAttempts": 2, "delay": "60s"}});
    let config = innkeeper_model::task_config::TaskConfig::from_json(config).expect("a config");
    stage.runner.create_task(&stage.tenant, config).await.expect("a task");
    assert_eq!(stage.publish("pin").await, 1);
    stage.ended().await;
    let rollout = Rollout { migrates: true, ..Rollout::default() };
    let back =
        stage.runner.activate_version(&stage.tenant, &plugin(), VersionChoice::Previous, rollout, None).await;
    assert_eq!(back.expect("a version").deployed.migrated, 1);
    stage.at(61);
    let mut retries = [stage.ended().await, stage.ended().await];
    retries.sort_by(|one, other| one.task_id.as_str().cmp(other.task_id.as_str()));
    let versions = retries.map(|retry| retry.plugin_digest);
    assert_eq!(versions, [Digest::of(FIRST), Digest::of(SECOND)]);
}

#[tokio::test]
async fn a_version_with_which_runs_wait_cannot_be_deleted() {
    let sandbox = flaky();
    let mut stage = waiting(&sandbox).await;
    push(&stage, SECOND, false).await;
    let delete =
        async |stage: &Stage| stage.runner.delete_version(&stage.tenant, &plugin(), Digest::of(FIRST)).await;
    let refused = delete(&stage).await;
    let in_use =
        |error: &RunnerError| matches!(error, RunnerError::Store(StoreError::VersionInUse { runs: 1, .. }));
    assert!(refused.as_ref().is_err_and(in_use), "{refused:?}");
    stage.at(61);
    stage.ended().await;
    delete(&stage).await.expect("nobody needs it any more");
    let left = stage.runner.plugin_versions(&stage.tenant, &plugin()).await.expect("versions");
    assert_eq!(left.iter().map(|version| version.digest).collect::<Vec<_>>(), [Digest::of(SECOND)]);
}

#[tokio::test]
async fn an_upload_that_a_stop_interrupted_says_so() {
    let sandbox = flaky();
    let stage = Stage::open(&sandbox).await;
    let digest = Digest::of(SECOND);
    stage.runner.begin_upload(&stage.tenant, &plugin(), digest).await.expect("an upload");
    let found =
        stage.runner.upload(&stage.tenant, &plugin(), digest).await.expect("a look").expect("an upload");
    assert_eq!((found.ended_at, found.answer), (None, None));
    let now = stage.now();
    let stage = Stage::open_in(stage.close().await, now, &sandbox).await;
    let found =
        stage.runner.upload(&stage.tenant, &plugin(), digest).await.expect("a look").expect("an upload");
    assert_eq!((found.ended_at, found.answer), (Some(now), None));
}
