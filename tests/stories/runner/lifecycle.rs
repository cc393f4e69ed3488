//! Stopping and starting: what runs is put back, a bounded number of times.

use innkeeper_model::execution::FailureKind;
use serde_json::json;

use super::scripted::{Act, Scripted};
use super::stage::{Stage, opening};

#[tokio::test]
async fn a_shutdown_puts_a_run_back_five_times_and_then_it_is_a_failure() {
    let sandbox = Scripted::new(|_| Act::Hang);
    let stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "hangs", "type": "event", "onEvent": "go"})).await;
    stage.publish("go").await;
    let mut directory = None;
    let mut stage = Some(stage);
    for start in 1..=6 {
        let open = match stage.take() {
            Some(stage) => stage,
            None => Stage::open_in(directory.take().expect("a directory"), opening(), &sandbox).await,
        };
        while sandbox.seen().len() < start {
            tokio::task::yield_now().await;
        }
        directory = Some(open.close().await);
    }
    let stage = Stage::open_in(directory.expect("a directory"), opening(), &sandbox).await;
    let executions = stage.executions().await;
    assert_eq!(executions.len(), 6);
    assert!(executions.iter().all(|execution| execution.kind == Some(FailureKind::Interrupted)));
    assert!(executions.iter().all(|execution| execution.attempt == 1));
    let stats = stage.runner.stats(&stage.tenant).await.expect("stats");
    assert_eq!((stats.queued_runs, stats.running_runs, stats.pending), (0, 0, 1));
    stage.close().await;
}

#[tokio::test]
async fn deleting_a_task_cancels_what_executes_and_keeps_the_audit_trail() {
    let sandbox = Scripted::new(|_| Act::Hang);
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "hangs", "type": "event", "onEvent": "go"})).await;
    stage.publish("go").await;
    while sandbox.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    let id = "hangs".parse().expect("an id");
    stage.runner.delete_task(&stage.tenant, &id).await.expect("deleted");
    assert_eq!(stage.ended().await.kind, Some(FailureKind::Cancelled));
    assert_eq!(stage.executions().await.len(), 1);
    assert!(stage.runner.delete_task(&stage.tenant, &id).await.is_err(), "it is gone");
    stage.close().await;
}

#[tokio::test]
async fn nothing_new_is_taken_once_a_shutdown_has_begun() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "a", "type": "event", "onEvent": "a"})).await;
    stage.runner.shutdown(std::future::pending()).await;
    let refused = stage.runner.publish_events(&stage.tenant, Vec::new()).await;
    assert!(refused.is_err());
}
