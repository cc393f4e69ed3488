//! What does not happen is told: a task that does not succeed in time, a run that ends failed.

use std::sync::Arc;

use innkeeper_model::execution::{Execution, FailureKind};
use innkeeper_model::id::TaskId;
use innkeeper_model::time::Timestamp;
use serde_json::{Value, json};

use super::scripted::{Act, Scripted};
use super::stage::Stage;

fn id(task: &str) -> TaskId {
    task.parse().expect("an id")
}

/// Everything succeeds but the task `flaky`.
fn flaky_fails() -> Arc<Scripted> {
    Scripted::new(|invocation| match invocation.task_id.as_str() {
        "flaky" => Act::Fail(FailureKind::Trap),
        _ => Act::Succeed(Vec::new()),
    })
}

async fn pager(stage: &Stage, event: &str) {
    stage.create(json!({"id": "pager", "type": "event", "onEvent": event})).await;
}

/// What the latest execution of `task` was given.
fn data(sandbox: &Scripted, task: &str) -> Value {
    let seen = sandbox.seen();
    let invocation = seen.iter().rev().find(|one| one.task_id.as_str() == task).expect("an invocation");
    serde_json::from_str(invocation.data.as_deref().expect("data")).expect("JSON")
}

fn names(executions: &[Execution]) -> Vec<&str> {
    executions.iter().map(|one| one.task_id.as_str()).collect()
}

async fn overdue_since(stage: &Stage, task: &str) -> Option<Timestamp> {
    stage.runner.get_task(&stage.tenant, &id(task)).await.expect("a task").overdue_since
}

#[tokio::test]
async fn a_task_that_does_not_succeed_in_time_is_told_once() {
    let sandbox = flaky_fails();
    let mut stage = Stage::open(&sandbox).await;
    pager(&stage, "task:overdue").await;
    stage.create(json!({"id": "flaky", "type": "event", "onEvent": "go", "expectWithin": "1h"})).await;
    stage.at(100);
    stage.publish("go").await;
    assert_eq!(stage.ended().await.task_id.as_str(), "flaky");
    stage.at(3600);
    assert_eq!(stage.ended().await.task_id.as_str(), "pager", "a failure is no success");
    let opening = "2025-01-01T00:00:00.000Z";
    let told = json!({"taskId": "flaky", "since": opening, "expectWithin": "1h"});
    assert_eq!(data(&sandbox, "pager"), told);
    assert_eq!(overdue_since(&stage, "flaky").await.map(Stage::seconds), Some(0));
    stage.at(3 * 3600);
    stage.publish("go").await;
    assert_eq!(stage.ended().await.task_id.as_str(), "flaky", "it is not told again");
    stage.close().await;
}

#[tokio::test]
async fn a_success_ends_it_and_the_next_silence_is_told_anew_also_over_a_restart() {
    let sandbox = flaky_fails();
    let mut stage = Stage::open(&sandbox).await;
    pager(&stage, "task:overdue").await;
    stage.create(json!({"id": "good", "type": "event", "onEvent": "go", "expectWithin": "1h"})).await;
    stage.at(1000);
    stage.publish("go").await;
    assert_eq!(stage.ended().await.task_id.as_str(), "good");
    stage.at(4599);
    let later = stage.now().saturating_add(std::time::Duration::from_secs(1));
    let mut stage = Stage::open_in(stage.close().await, later, &sandbox).await;
    assert_eq!(stage.ended().await.task_id.as_str(), "pager", "an hour after the success");
    stage.at(5000);
    stage.publish("go").await;
    assert_eq!(stage.ended().await.task_id.as_str(), "good");
    stage.at(5000 + 3600);
    assert_eq!(stage.ended().await.task_id.as_str(), "pager");
    assert_eq!(data(&sandbox, "pager")["since"], "2025-01-01T01:23:20.000Z");
    stage.close().await;
}

#[tokio::test]
async fn a_paused_task_is_not_overdue_and_begins_anew_when_it_is_resumed() {
    let sandbox = flaky_fails();
    let mut stage = Stage::open(&sandbox).await;
    pager(&stage, "task:overdue").await;
    stage.create(json!({"id": "good", "type": "event", "onEvent": "go", "expectWithin": "1h"})).await;
    stage.runner.pause_task(&stage.tenant, &id("good")).await.expect("paused");
    stage.at(7200);
    stage.runner.resume_task(&stage.tenant, &id("good")).await.expect("resumed");
    stage.at(7200 + 3599);
    assert_eq!(overdue_since(&stage, "good").await, None);
    stage.at(7200 + 3600);
    assert_eq!(stage.ended().await.task_id.as_str(), "pager");
    assert_eq!(names(&stage.executions().await), ["pager"]);
    stage.close().await;
}

#[tokio::test]
async fn a_run_that_ends_failed_is_told_after_its_last_attempt() {
    let sandbox = flaky_fails();
    let mut stage = Stage::open(&sandbox).await;
    pager(&stage, "job:failed").await;
    let retries = json!({"maxAttempts": 2});
    stage
        .create(json!({"id": "flaky", "type": "event", "onEvent": "go", "onFailure": "job:failed",
            "retryPolicy": retries}))
        .await;
    stage.publish("go").await;
    let ended = [stage.ended().await, stage.ended().await, stage.ended().await];
    assert_eq!(names(&ended), ["flaky", "flaky", "pager"]);
    let told = data(&sandbox, "pager");
    let (run, execution) = (ended[1].run_id.to_string(), ended[1].id.to_string());
    assert_eq!(
        told,
        json!({"taskId": "flaky", "runId": run, "executionId": execution, "attempt": 2, "kind": "trap",
            "error": "as the script says"})
    );
    stage.close().await;
}

#[tokio::test]
async fn a_task_that_listens_to_its_own_failure_comes_to_an_end() {
    let sandbox = flaky_fails();
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "flaky", "type": "event", "onEvent": "go", "onFailure": "go"})).await;
    stage.publish("go").await;
    for _ in 0..17 {
        stage.ended().await;
    }
    let left = stage.runner.stats(&stage.tenant).await.expect("stats");
    assert_eq!((left.queued_runs, left.running_runs), (0, 0));
    assert_eq!(stage.executions().await.len(), 17, "the first, and one for each hop");
    stage.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_alert_is_named() {
    let stage = Stage::open(&flaky_fails()).await;
    let config = json!({"id": "a", "type": "event", "onEvent": "go", "plugin": "plugin", "expectWithin": "10ms",
        "onFailure": "*"});
    let config = innkeeper_model::task_config::TaskConfig::from_json(config).expect("a config");
    let refused = stage.runner.create_task(&stage.tenant, config).await.expect_err("a refusal");
    let innkeeper_runner::RunnerError::Invalid(problems) = refused else { panic!("{refused}") };
    let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["expectWithin", "onFailure"]);
    stage.close().await;
}
