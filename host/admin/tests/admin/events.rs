//! Publishing events.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Host, errors};

async fn host_with_listeners() -> Host {
    let host = Host::with_plugin().await;
    host.create("one", json!({"type": "event", "onEvent": "user:in"})).await;
    host.create("all", json!({"type": "event", "onEvent": "user:*"})).await;
    host
}

#[tokio::test]
async fn an_event_is_answered_with_its_runs() {
    let host = host_with_listeners().await;
    let published = host.post_json("/v1/events", json!({"event": "user:in", "data": 1})).await;
    assert_eq!((published.status, &published.body["runs"]), (StatusCode::ACCEPTED, &json!(2)));
    assert_eq!(published.body["eventId"].as_str().map(str::len), Some(36));
    let unheard = host.post_json("/v1/events", json!({"event": "nobody"})).await;
    assert_eq!((unheard.status, &unheard.body["runs"]), (StatusCode::ACCEPTED, &json!(0)));
}

#[tokio::test]
async fn an_array_is_answered_in_its_order() {
    let host = host_with_listeners().await;
    let events = json!([{"event": "user:in"}, {"event": "other"}, {"event": "user:out"}]);
    let published = host.post_json("/v1/events", events).await;
    assert_eq!(published.status, StatusCode::ACCEPTED);
    let runs: Vec<_> = published.body.as_array().expect("an array").iter().map(|one| &one["runs"]).collect();
    assert_eq!(runs, [2, 0, 1]);
    let single = host.post_json("/v1/events", json!([{"event": "user:out"}])).await;
    assert_eq!(single.body[0]["runs"], 1);
    assert_eq!(host.post_json("/v1/events", json!([])).await.body, json!([]));
}

#[tokio::test]
async fn a_repeated_publication_is_answered_like_the_first() {
    let host = host_with_listeners().await;
    let event = json!({"event": "user:in", "idempotencyKey": "k1"});
    let first = host.post_json("/v1/events", event.clone()).await;
    let mut expected = first.body;
    expected["repeated"] = true.into();
    assert_eq!(
        host.post_json("/v1/events", event).await.body,
        expected,
        "the first answer, and that it is one"
    );
}

#[tokio::test]
async fn one_wrong_event_refuses_all() {
    let host = host_with_listeners().await;
    let refused = host.post_json("/v1/events", json!([{"event": "user:in"}, {"event": "user:*"}])).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(errors(&refused), [("1.event", "invalid_event_name")]);
    let refused = host.post_json("/v1/events", json!([{"event": "user:in"}, {"dta": 1}, "x"])).await;
    let expected =
        [("1.dta", "unknown_field"), ("1.event", "missing"), ("2", "wrong_type"), ("2.event", "missing")];
    assert_eq!(errors(&refused), expected);
    let stats = host.get("/v1/stats").await;
    let runs = [&stats.body["queuedRuns"], &stats.body["runningRuns"]];
    assert_eq!(
        (runs, host.get("/v1/tasks/one/executions").await.body["items"].clone()),
        ([&json!(0); 2], json!([]))
    );
}

#[tokio::test]
async fn data_over_the_limit_is_refused() {
    let host = host_with_listeners().await;
    let refused =
        host.post_json("/v1/events", json!({"event": "user:in", "data": "x".repeat(300 << 10)})).await;
    assert_eq!(errors(&refused), [("data", "too_large")]);
    let refused = host.post_json("/v1/events", json!({"event": "a", "data": "x".repeat(5 << 20)})).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large")));
    assert_eq!(refused.body["errors"], Value::Null);
}
