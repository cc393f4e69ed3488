//! Changes that are made only if nothing has changed meanwhile, and requests that may be repeated.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, ETAG};
use serde_json::{Value, json};

use crate::support::{Answer, COMPONENT, Host, column, ended, errors, request};

async fn put(host: &Host, id: &str, fields: Value, header: (&str, &str)) -> Answer {
    let mut config = json!({"plugin": "greeter", "type": "event", "onEvent": "x"});
    for (key, value) in fields.as_object().expect("an object") {
        config[key] = value.clone();
    }
    let asked = request("PUT", &format!("/v1/tasks/{id}")).header(CONTENT_TYPE, "application/json");
    host.send(asked.header(header.0, header.1).body(config.to_string().into()).expect("a request")).await
}

async fn delete(host: &Host, path: &str, tag: &str) -> Answer {
    host.send(request("DELETE", path).header("If-Match", tag).body(Body::empty()).expect("a request")).await
}

fn tag(answer: &Answer) -> String {
    answer.headers[ETAG].to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_task_is_replaced_only_as_it_was_read() {
    let host = Host::with_plugin().await;
    let created = put(&host, "a", json!({}), ("If-None-Match", "*")).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let again = put(&host, "a", json!({}), ("If-None-Match", "*")).await;
    assert_eq!(
        (again.status, &again.body["code"]),
        (StatusCode::PRECONDITION_FAILED, &json!("precondition_failed"))
    );
    assert_eq!(tag(&again), tag(&created), "the answer says what is there");
    let read = tag(&host.get("/v1/tasks/a").await);
    assert_eq!(read, tag(&created));
    let renamed = put(&host, "a", json!({"name": "new"}), ("If-Match", &read)).await;
    assert_eq!(renamed.status, StatusCode::OK);
    assert_ne!(tag(&renamed), read);
    assert_eq!(
        put(&host, "a", json!({"name": "late"}), ("If-Match", &read)).await.status,
        StatusCode::PRECONDITION_FAILED
    );
    assert_eq!(host.get("/v1/tasks/a").await.body["name"], "new");
    let paused = host.post("/v1/tasks/a/pause").await;
    assert_ne!(tag(&paused), tag(&renamed), "a pause is a change");
    assert_eq!(delete(&host, "/v1/tasks/a", &tag(&renamed)).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(
        delete(&host, "/v1/tasks/a", &format!("{read}, {}", tag(&paused))).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(put(&host, "a", json!({}), ("If-Match", "*")).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(delete(&host, "/v1/tasks/a", "*").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_runs_does_not_change_the_tag() {
    let host = Host::with_plugin().await;
    let created = host.create("a", json!({"type": "event", "onEvent": "x"})).await;
    let mut executions = host.executions();
    host.post("/v1/tasks/a/run").await;
    ended(&mut executions).await;
    let read = host.get("/v1/tasks/a").await;
    assert!(!read.body["lastRunAt"].is_null());
    assert_eq!(tag(&read), tag(&created));
}

#[tokio::test]
async fn a_plugin_is_replaced_only_as_it_was_read() {
    let host = Host::with_plugin().await;
    let read = host.get("/v1/plugins/greeter").await;
    assert_eq!(tag(&read), format!("\"{}\"", read.body["digest"].as_str().expect("a digest")));
    let upload = |header: &'static str, tag: String| {
        let asked = request("PUT", "/v1/plugins/greeter").header(CONTENT_TYPE, "application/wasm");
        asked.header(header, tag).body([COMPONENT, b"2"].concat().into()).expect("a request")
    };
    assert_eq!(
        host.send(upload("If-None-Match", "*".to_owned())).await.status,
        StatusCode::PRECONDITION_FAILED
    );
    assert_eq!(host.uploads.available_permits(), 1, "nothing was compiled for it");
    assert_eq!(host.send(upload("If-Match", tag(&read))).await.status, StatusCode::CREATED);
    assert_eq!(host.send(upload("If-Match", tag(&read))).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(
        delete(&host, "/v1/plugins/greeter", &tag(&read)).await.status,
        StatusCode::PRECONDITION_FAILED
    );
    let now = tag(&host.get("/v1/plugins/greeter").await);
    assert_eq!(delete(&host, "/v1/plugins/greeter", &now).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        errors(&host.send(upload("If-Match", "abc".to_owned())).await),
        [("If-Match", "invalid_etag")]
    );
}

#[tokio::test]
async fn a_start_by_hand_with_a_key_starts_once() {
    let host = Host::with_plugin().await;
    for id in ["a", "b"] {
        host.create(id, json!({"type": "event", "onEvent": "x"})).await;
    }
    let start = async |id: &str, key: &str, body: Value| {
        let asked = request("POST", &format!("/v1/tasks/{id}/run")).header(CONTENT_TYPE, "application/json");
        host.send(asked.header("Idempotency-Key", key).body(body.to_string().into()).expect("a request"))
            .await
    };
    let mut executions = host.executions();
    let first = start("a", "k", Value::Null).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    ended(&mut executions).await;
    assert_eq!(start("a", "\"k\"", Value::Null).await.body, first.body);
    assert_eq!(start("a", "k", json!({"idempotencyKey": "k"})).await.body, first.body);
    assert_ne!(start("b", "k", Value::Null).await.body, first.body, "keys are those of one task");
    assert_ne!(host.post_json("/v1/tasks/a/run", json!({"idempotencyKey": "l"})).await.body, first.body);
    ended(&mut executions).await;
    ended(&mut executions).await;
    assert_eq!(column(&host.get("/v1/tasks/a/executions").await, "id").len(), 2);
    host.clock.advance(std::time::Duration::from_hours(7 * 24 + 1));
    assert_ne!(start("a", "k", Value::Null).await.body, first.body, "it is known for seven days");
    let wrong = start("a", "k", json!({"idempotencyKey": "other"})).await;
    assert_eq!(errors(&wrong), [("idempotencyKey", "key_mismatch")]);
    assert_eq!(
        errors(&start("a", &"k".repeat(181), Value::Null).await),
        [("Idempotency-Key", "invalid_key")]
    );
}

#[tokio::test]
async fn a_publication_may_have_its_key_in_the_header() {
    let host = Host::start().await;
    let publish = async |body: Value| {
        let asked = request("POST", "/v1/events").header(CONTENT_TYPE, "application/json");
        host.send(asked.header("Idempotency-Key", "k").body(body.to_string().into()).expect("a request"))
            .await
    };
    let first = publish(json!({"event": "a"})).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    let id = |answer: &Answer| answer.body["eventId"].clone();
    assert_eq!(id(&publish(json!({"event": "a"})).await), id(&first));
    let several = publish(json!([{"event": "a"}, {"event": "b"}])).await;
    let again = publish(json!([{"event": "a"}, {"event": "b"}])).await;
    let ids = |answer: &Answer| {
        answer.body.as_array().expect("an array").iter().map(|one| one["eventId"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&several), ids(&again));
    assert!(!ids(&several).contains(&id(&first)));
}
