//! Events: who hears them, once.

use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::TenantId;
use innkeeper_runner::Publication;
use serde_json::json;

use super::scripted::{Act, Scripted};
use super::stage::Stage;

#[tokio::test]
async fn an_event_runs_every_task_that_listens_and_no_other() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    for (id, pattern) in
        [("exact", "user:in"), ("prefix", "user:*"), ("suffix", "*:in"), ("other", "order:*")]
    {
        stage.create(json!({"id": id, "type": "event", "onEvent": pattern})).await;
    }
    assert_eq!(stage.publish("user:in").await, 3);
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(stage.ended().await.task_id.to_string());
    }
    heard.sort();
    assert_eq!(heard, ["exact", "prefix", "suffix"]);
    stage.runner.delete_task(&stage.tenant, &"exact".parse().expect("an id")).await.expect("deleted");
    assert_eq!(stage.publish("user:in").await, 2, "a deleted task hears nothing");
    let stranger: TenantId = "stranger".parse().expect("a tenant");
    let message = stage.runner.get_task(&stranger, &"prefix".parse().expect("an id")).await;
    assert!(message.is_err(), "another tenant sees nothing of it");
    stage.ended().await;
    stage.ended().await;
    stage.close().await;
}

#[tokio::test]
async fn a_repeated_publication_answers_as_the_first_and_does_nothing() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "a", "type": "event", "onEvent": "a"})).await;
    let publication =
        Publication { event: "a".to_owned(), data: Some(json!(1)), idempotency_key: Some("k".to_owned()) };
    let first =
        stage.runner.publish_events(&stage.tenant, vec![publication.clone()]).await.expect("a receipt");
    stage.ended().await;
    let stage = Stage::open_in(stage.close().await, super::stage::opening(), &sandbox).await;
    let again = stage.runner.publish_events(&stage.tenant, vec![publication]).await.expect("a receipt");
    assert_eq!((again[0].id, again[0].runs), (first[0].id, 1));
    assert!(again[0].then.queued.is_empty());
    assert_eq!(stage.executions().await.len(), 1);
    stage.close().await;
}

#[tokio::test]
async fn a_loop_of_events_ends_after_sixteen_hops() {
    let sandbox = Scripted::new(|_| Act::Succeed(vec!["ping"]));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "echo", "type": "event", "onEvent": "ping"})).await;
    stage.publish("ping").await;
    for _ in 0..16 {
        assert_eq!(stage.ended().await.kind, None);
    }
    assert_eq!(stage.ended().await.kind, Some(FailureKind::HopLimit));
    assert_eq!(stage.executions().await.len(), 17);
    let stats = stage.runner.stats(&stage.tenant).await.expect("stats");
    assert_eq!(stats.queued_runs + stats.running_runs, 0, "the loop has ended");
    stage.close().await;
}

#[tokio::test]
async fn one_bad_event_of_several_refuses_all() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "a", "type": "event", "onEvent": "*"})).await;
    let named = |event: &str| Publication { event: event.to_owned(), ..Publication::default() };
    let refused = stage.runner.publish_events(&stage.tenant, vec![named("good"), named("not good")]).await;
    let message = refused.expect_err("the second name is not valid").to_string();
    assert!(message.contains("1.event"), "{message}");
    assert!(sandbox.seen().is_empty());
    stage.close().await;
}
