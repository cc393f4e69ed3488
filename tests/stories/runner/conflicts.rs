//! Writes that met something else than they relied on.

use innkeeper_model::execution::FailureKind;
use innkeeper_model::sandbox::{Expected, KeyValueChange, KeyValueWrite};
use serde_json::json;

use super::scripted::{Act, Scripted};
use super::stage::Stage;

/// A write that relies on a value that is never there.
fn stale_write() -> KeyValueWrite {
    KeyValueWrite {
        bucket: "state".to_owned(),
        key: "key".to_owned(),
        change: KeyValueChange::Set(b"new".to_vec()),
        expected: Expected::Value(Some(b"old".to_vec())),
    }
}

#[tokio::test]
async fn ten_conflicts_use_up_no_attempt_and_the_next_one_does() {
    let sandbox = Scripted::new(|_| Act::Write(stale_write()));
    let mut stage = Stage::open(&sandbox).await;
    stage
        .create(json!({"id": "a", "type": "event", "onEvent": "go", "retryPolicy": {"maxAttempts": 2}}))
        .await;
    assert_eq!(stage.publish("go").await, 1);
    let mut attempts = Vec::new();
    for _ in 0..12 {
        let ended = stage.ended().await;
        assert_eq!(ended.kind, Some(FailureKind::Conflict), "{ended:?}");
        assert!(ended.error.is_some_and(|error| error.contains("\"key\" in the bucket `state` changed")));
        attempts.push(ended.attempt);
    }
    assert_eq!(attempts, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    let executions = stage.executions().await;
    assert_eq!(executions.len(), 12);
    assert!(executions.iter().all(|execution| execution.run_id == executions[0].run_id));
    assert!(stage.runner.buckets(&stage.tenant).await.expect("buckets").is_empty());
    assert_eq!(stage.runner.stats(&stage.tenant).await.expect("counts").queued_runs, 0);
}

#[tokio::test]
async fn a_conflict_takes_every_effect_of_its_execution_back() {
    let sandbox = Scripted::new(|invocation| match invocation.task_id.as_str() {
        "a" => Act::Write(stale_write()),
        _ => Act::Succeed(Vec::new()),
    });
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "a", "type": "event", "onEvent": "go", "overlap": "cancelPrevious"})).await;
    let tenant = stage.tenant.clone();
    let value = b"old".to_vec();
    let always = innkeeper_store::Condition::Always;
    stage.runner.set_value(&tenant, "state", "key", value, always).await.expect("a value");
    assert_eq!(stage.publish("go").await, 1);
    let ended = stage.ended().await;
    assert_eq!((ended.kind, ended.error), (None, None));
    assert_eq!(stage.runner.value(&tenant, "state", "key").await.expect("a value"), b"new");
    assert_eq!(stage.publish("go").await, 1);
    assert_eq!(stage.ended().await.kind, Some(FailureKind::Conflict));
    assert_eq!(stage.runner.value(&tenant, "state", "key").await.expect("a value"), b"new");
}
