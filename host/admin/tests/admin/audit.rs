//! The audit trail, and what else is known of a task.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Host, arrival, column, ended, errors};

#[tokio::test]
async fn an_execution_is_shown_with_its_receipt_output_and_log() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "event", "onEvent": "user:*"})).await;
    let mut executions = host.executions();
    host.post_json("/v1/events", json!({"event": "user:in", "data": {"id": 5}})).await;
    let id = ended(&mut executions).await;
    let shown = host.get(&format!("/v1/executions/{id}")).await;
    let expected = json!({
        "id": id, "taskId": "a", "status": "success", "startedAt": "2025-06-01T12:00:00.000Z",
        "completedAt": "2025-06-01T12:00:00.000Z", "error": null, "attempt": 1, "kind": null, "trigger": "event",
        "event": "user:in", "scheduledAt": null, "output": {"id": 5}, "plugin": "greeter",
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&shown.body[key], value, "{key}");
    }
    assert_eq!(shown.body["receipt"]["fuel"], 7);
    assert_eq!(shown.body["pluginDigest"].as_str().map(str::len), Some(64));
    let logs = host.get(&format!("/v1/executions/{id}/logs")).await;
    assert_eq!(column(&logs, "message"), ["hello"]);
    assert_eq!(column(&logs, "level"), ["info"]);
    for path in ["/v1/executions/x", "/v1/executions/01890000-0000-7000-8000-000000000000/logs"] {
        assert_eq!(host.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_trail_is_read_page_by_page_newest_first() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "event", "onEvent": "x"})).await;
    let mut executions = host.executions();
    let mut ids = Vec::new();
    for _ in 0..3 {
        host.clock.advance(Duration::from_secs(1));
        host.post("/v1/tasks/a/run").await;
        ids.insert(0, Value::from(ended(&mut executions).await));
    }
    let first = host.get("/v1/tasks/a/executions?limit=2").await;
    assert_eq!(column(&first, "id"), ids[..2]);
    let cursor = first.body["nextCursor"].as_str().expect("a cursor");
    let second = host.get(&format!("/v1/tasks/a/executions?limit=2&cursor={cursor}")).await;
    assert_eq!(column(&second, "id"), ids[2..]);
    assert_eq!(second.body["nextCursor"], Value::Null);
    let refused = host.get("/v1/tasks/a/executions?cursor=x&status=done").await;
    assert_eq!(errors(&refused), [("status", "unknown_value"), ("cursor", "invalid_cursor")]);
}

#[tokio::test]
async fn the_trail_outlives_a_one_off() {
    let host = Host::with_plugin().await;
    let mut executions = host.executions();
    assert_eq!(
        host.create("once", json!({"type": "schedule", "after": "0s"})).await.status,
        StatusCode::CREATED
    );
    let id = ended(&mut executions).await;
    assert_eq!(host.get("/v1/tasks/once").await.status, StatusCode::NOT_FOUND);
    let trail = host.get("/v1/tasks/once/executions").await;
    assert_eq!((trail.status, column(&trail, "id")), (StatusCode::OK, vec![Value::from(id)]));
    let none_failed = host.get("/v1/tasks/once/executions?status=failed").await;
    assert_eq!((none_failed.status, column(&none_failed, "id")), (StatusCode::OK, Vec::new()));
    assert_eq!(host.get("/v1/tasks/never/executions").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_running_execution_is_cancelled() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "event", "onEvent": "hold"})).await;
    let mut executions = host.executions();
    host.post_json("/v1/events", json!({"event": "hold"})).await;
    arrival(&host.held).await;
    let running = host.get("/v1/tasks/a/executions?status=running").await;
    let id = running.body["items"][0]["id"].as_str().expect("an id");
    let cancelled = host.post(&format!("/v1/executions/{id}/cancel")).await;
    assert_eq!((cancelled.status, &cancelled.body["id"]), (StatusCode::ACCEPTED, &json!(id)));
    assert_eq!(ended(&mut executions).await, id);
    let shown = host.get(&format!("/v1/executions/{id}")).await;
    assert_eq!((&shown.body["status"], &shown.body["kind"]), (&json!("failed"), &json!("cancelled")));
    let again = host.post(&format!("/v1/executions/{id}/cancel")).await;
    assert_eq!((again.status, &again.body["code"]), (StatusCode::CONFLICT, &json!("not_running")));
    let missing = host.post("/v1/executions/01890000-0000-7000-8000-000000000000/cancel").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_task_without_executions_has_an_empty_trail() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "event", "onEvent": "x"})).await;
    let trail = host.get("/v1/tasks/a/executions").await;
    assert_eq!((trail.status, trail.body), (StatusCode::OK, json!({"items": [], "nextCursor": null})));
}

#[tokio::test]
async fn due_times_are_told_in_both_directions() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "schedule", "cron": "0 */6 * * *"})).await;
    let due = host.get("/v1/tasks/a/next-runs?count=2").await;
    let expected = json!({
        "items": ["2025-06-01T18:00:00.000Z", "2025-06-02T00:00:00.000Z"], "nextCursor": null,
        "previousRunAt": null,
    });
    assert_eq!((due.status, due.body), (StatusCode::OK, expected));
    assert_eq!(errors(&host.get("/v1/tasks/a/next-runs?count=1001").await), [("count", "out_of_range")]);
    assert_eq!(host.get("/v1/tasks/b/next-runs").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_did_not_run_is_told() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "event", "onEvent": "x", "isPaused": true})).await;
    host.post_json("/v1/events", json!([{"event": "x"}, {"event": "x"}])).await;
    let skips = host.get("/v1/tasks/a/skips?limit=10").await;
    assert_eq!(column(&skips, "reason"), ["paused"]);
    assert_eq!(column(&skips, "count"), [2]);
    assert_eq!(column(&skips, "from"), ["2025-06-01T12:00:00.000Z"]);
}
