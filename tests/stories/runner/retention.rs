//! What is old goes; what is still needed stays.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_runner::{Pruned, Publication, Retention, RunnerConfig};
use serde_json::json;

use super::scripted::{Act, Scripted};
use super::stage::Stage;

const DAY: u64 = 86_400;

fn config(retention: Retention) -> RunnerConfig {
    RunnerConfig { retention, shutdown_grace: Duration::ZERO, ..RunnerConfig::default() }
}

fn succeed() -> Arc<Scripted> {
    Scripted::new(|_| Act::Succeed(Vec::new()))
}

#[tokio::test]
async fn executions_go_by_age_and_by_number_with_their_logs() {
    let retention = Retention { executions_per_task: Some(2), ..Retention::default() };
    let mut stage = Stage::open_with(config(retention), &succeed()).await;
    stage.create(json!({"id": "hook", "type": "event", "onEvent": "go"})).await;
    for second in 1..=5 {
        stage.at(second);
        stage.publish("go").await;
        stage.ended().await;
    }
    let pruned = stage.runner.prune().await.expect("a sweep");
    assert_eq!(pruned, Pruned { executions: 3, ..Pruned::default() });
    let left: Vec<_> = stage.executions().await.iter().map(|one| Stage::seconds(one.started_at)).collect();
    assert_eq!(left, [5, 4], "the latest stay");
    stage.at(31 * DAY);
    let pruned = stage.runner.prune().await.expect("a sweep");
    assert_eq!(pruned, Pruned { executions: 2, events: 5, skips: 0 });
    assert_eq!(stage.runner.pruned().executions, 5);
    assert!(stage.executions().await.is_empty());
    stage.close().await;
}

#[tokio::test]
async fn what_a_run_in_progress_refers_to_stays() {
    let sandbox = Scripted::new(|invocation| match invocation.attempt {
        1 => Act::Fail(innkeeper_model::execution::FailureKind::Trap),
        _ => Act::Hang,
    });
    let mut stage = Stage::open_with(config(Retention::default()), &sandbox).await;
    let retries = json!({"maxAttempts": 3, "delay": "40d"});
    stage.create(json!({"id": "slow", "type": "event", "onEvent": "go", "retryPolicy": retries})).await;
    stage.publish("go").await;
    stage.ended().await;
    stage.at(39 * DAY);
    assert_eq!(stage.runner.prune().await.expect("a sweep"), Pruned::default());
    assert_eq!(stage.executions().await.len(), 1);
    stage.at(41 * DAY);
    assert_eq!(
        stage.runner.prune().await.expect("a sweep"),
        Pruned::default(),
        "while it is tried again, too"
    );
    stage.close().await;
}

#[tokio::test]
async fn a_sliding_rate_limit_keeps_what_it_counts() {
    let retention = Retention { executions_per_task: Some(1), ..Retention::default() };
    let mut stage = Stage::open_with(config(retention), &succeed()).await;
    let limit = json!({"interval": "1h", "limit": 3, "strategy": "sliding", "overflow": "drop"});
    stage.create(json!({"id": "limited", "type": "event", "onEvent": "go", "rateLimit": limit})).await;
    for second in 1..=3 {
        stage.at(second);
        stage.publish("go").await;
        stage.ended().await;
    }
    assert_eq!(stage.runner.prune().await.expect("a sweep").executions, 0);
    stage.at(2 * 3600);
    assert_eq!(stage.runner.prune().await.expect("a sweep").executions, 2);
    stage.close().await;
}

#[tokio::test]
async fn an_idempotency_key_holds_for_a_day() {
    let retention = Retention { events: Some(Duration::from_mins(1)), ..Retention::default() };
    let stage = Stage::open_with(config(retention), &succeed()).await;
    let publish = async |key: Option<&str>| {
        let key = key.map(str::to_owned);
        let publication = Publication { event: "go".to_owned(), idempotency_key: key, data: None };
        let receipts = stage.runner.publish_events(&stage.tenant, vec![publication]).await;
        receipts.expect("a receipt")[0].id
    };
    let first = publish(Some("key")).await;
    publish(None).await;
    stage.at(3600);
    assert_eq!(stage.runner.prune().await.expect("a sweep").events, 1);
    assert_eq!(publish(Some("key")).await, first);
    stage.at(DAY + 60);
    assert_eq!(stage.runner.prune().await.expect("a sweep").events, 1);
    assert_ne!(publish(Some("key")).await, first);
    stage.close().await;
}

#[tokio::test]
async fn the_ledger_is_kept_for_its_time() {
    let stage = Stage::open_with(config(Retention::default()), &succeed()).await;
    stage.create(json!({"id": "hook", "type": "event", "onEvent": "go", "isPaused": true})).await;
    stage.publish("go").await;
    stage.at(89 * DAY);
    assert_eq!(stage.runner.prune().await.expect("a sweep").skips, 0);
    stage.at(91 * DAY);
    assert_eq!(stage.runner.prune().await.expect("a sweep").skips, 1);
    assert!(stage.skips("hook").await.is_empty());
    stage.close().await;
}

#[tokio::test]
async fn sweeps_come_by_themselves() {
    let retention = Retention { executions_per_task: Some(0), ..Retention::default() };
    let mut stage = Stage::open_with(config(retention), &succeed()).await;
    stage.create(json!({"id": "hook", "type": "event", "onEvent": "go"})).await;
    stage.publish("go").await;
    stage.ended().await;
    stage.at(601);
    let swept = async {
        while stage.runner.pruned().executions == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), swept).await.expect("a sweep in time");
    stage.close().await;
}
