//! Creating, listing, controlling and starting tasks.

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use serde_json::{Value, json};

use crate::support::{Host, column, ended, errors};

#[tokio::test]
async fn a_created_task_is_shown_in_full() {
    let host = Host::with_plugin().await;
    let created = host
        .create(
            "cache:cleanup 100%".replace(' ', "-").as_str(),
            json!({
                "type": "schedule", "preset": "@daily", "timezone": "America/New_York", "name": "Clean up",
                "metadata": {"deep": true}, "limits": {"timeout": "90s", "fuel": 18_000_000_000_000_000_000_u64},
                "retryPolicy": {"maxAttempts": 3, "delay": "1m", "backoff": "exponential", "maxRetryDuration": "10m"},
                "rateLimit": {"interval": "60s", "limit": 5, "strategy": "sliding"}, "overlap": "queue",
            }),
        )
        .await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.headers[LOCATION], "/v1/tasks/cache:cleanup-100%25");
    let expected = json!({
        "id": "cache:cleanup-100%", "name": "Clean up", "type": "schedule", "preset": "@daily", "cron": "0 0 * * *",
        "at": null, "timezone": "America/New_York", "nextRunAt": "2025-06-02T04:00:00.000Z", "lastRunAt": null,
        "attempts": 0, "maxAttempts": 3, "rateCount": 0, "rateWindow": null, "status": "pending",
        "isPaused": false, "metadata": {"deep": true}, "createdAt": "2025-06-01T12:00:00.000Z", "onEvent": null,
        "after": null, "plugin": "greeter",
        "retryPolicy": {
            "maxAttempts": 3, "delay": "1m", "backoff": "exponential", "maxRetryDuration": "10m", "jitter": 0.0,
        },
        "rateLimit": {"interval": "1m", "limit": 5, "strategy": "sliding", "overflow": "delay"},
        "overlap": "queue", "misfire": "runOnce", "concurrency": null, "effectiveConcurrency": 1,
        // What the host allows is less than what was asked for.
        "limits": {
            "fuel": 1_000_000_000, "timeout": "30s", "memory": 67_108_864, "output": 65_536, "log": 65_536,
            "hostCalls": 100_000, "events": 100, "keyValue": 4_194_304, "egressRequests": 20, "egressBytes": 8_388_608,
        },
        "pauseReason": null,
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&created.body[key], value, "{key}");
    }
    let location = created.headers[LOCATION].to_str().expect("text");
    let mut shown = host.get(location).await.body;
    let waiting_for = shown.as_object_mut().and_then(|task| task.remove("waitingFor"));
    assert_eq!(waiting_for, Some(json!("it is due at 2025-06-02T04:00:00.000Z")));
    assert_eq!(shown, created.body);
}

#[tokio::test]
async fn an_id_is_taken_once() {
    let host = Host::with_plugin().await;
    let fields = json!({"type": "event", "onEvent": "user:*"});
    assert_eq!(host.create("a", fields.clone()).await.status, StatusCode::CREATED);
    let again = host.create("a", fields).await;
    assert_eq!((again.status, &again.body["code"]), (StatusCode::CONFLICT, &json!("task_exists")));
}

#[tokio::test]
async fn a_refused_task_names_every_problem_at_once() {
    let host = Host::with_plugin().await;
    let refused = host
        .create("a b", json!({"type": "schedule", "cron": "61 * * * *", "timezone": "Europe/Lundon"}))
        .await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid"))
    );
    let fields: Vec<_> = errors(&refused).into_iter().map(|(field, _)| field).collect();
    assert!(fields.contains(&"id") && fields.contains(&"timezone"), "{fields:?}");
    let misspelt = host.create("a", json!({"type": "event", "onevent": "x", "isPaused": "no"})).await;
    assert_eq!(errors(&misspelt), [("onevent", "unknown_field"), ("isPaused", "wrong_type")]);
    assert_eq!(misspelt.body["errors"][0]["suggestion"], "onEvent");
    let both = host
        .create("a", json!({"type": "schedule", "cron": 5, "timezone": "Europe/Lundon", "crno": 1}))
        .await;
    let mut fields: Vec<_> = errors(&both).into_iter().map(|(field, _)| field).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["crno", "cron", "timezone"], "form and meaning, and no guess about the trigger");
    assert_eq!(errors(&host.post_json("/v1/tasks", json!([])).await)[0], ("body", "wrong_type"));
}

#[tokio::test]
async fn an_unknown_plugin_comes_with_the_nearest_one() {
    let host = Host::with_plugin().await;
    let body = json!({"id": "a", "type": "event", "onEvent": "x", "plugin": "greter"});
    let refused = host.post_json("/v1/tasks", body).await;
    assert_eq!(errors(&refused), [("plugin", "unknown_plugin")]);
    assert_eq!(refused.body["errors"][0]["suggestion"], "greeter");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_located() {
    let host = Host::start().await;
    let refused = host.post_text("/v1/tasks", "{\n  \"id\": oops\n}").await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::BAD_REQUEST, &json!("not_json")));
    assert!(refused.body["detail"].as_str().expect("text").contains("line 2 column 9"), "{}", refused.body);
    assert_eq!(host.post_text("/v1/tasks", "").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(host.post_text("/v1/tasks", &"[".repeat(100_000)).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let host = Host::with_plugin().await;
    for id in ["c", "a", "e&f", "b", "d"] {
        assert_eq!(
            host.create(id, json!({"type": "event", "onEvent": "x"})).await.status,
            StatusCode::CREATED
        );
    }
    let mut ids = Vec::new();
    let mut path = "/v1/tasks?limit=2".to_owned();
    let mut pages = 0;
    loop {
        let page = host.get(&path).await;
        assert_eq!(page.status, StatusCode::OK);
        ids.extend(column(&page, "id"));
        pages += 1;
        let Some(cursor) = page.body["nextCursor"].as_str() else { break };
        path = format!("/v1/tasks?limit=2&cursor={}", cursor.replace('&', "%26"));
    }
    assert_eq!((ids, pages), (["a", "b", "c", "d", "e&f"].map(Value::from).to_vec(), 3));
    let exact = host.get("/v1/tasks?limit=5").await;
    assert_eq!((column(&exact, "id").len(), &exact.body["nextCursor"]), (5, &Value::Null));
}

#[tokio::test]
async fn a_list_is_filtered_and_its_query_checked() {
    let host = Host::with_plugin().await;
    host.create("on-event", json!({"type": "event", "onEvent": "x"})).await;
    host.create("hourly", json!({"type": "schedule", "preset": "@hourly", "isPaused": true})).await;
    assert_eq!(column(&host.get("/v1/tasks?type=event").await, "id"), ["on-event"]);
    assert_eq!(column(&host.get("/v1/tasks?status=paused&type=schedule").await, "id"), ["hourly"]);
    assert_eq!(column(&host.get("/v1/tasks?status=running").await, "id"), [Value::Null; 0]);
    let refused = host.get("/v1/tasks?statuss=paused&type=evnt&limit=0").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let expected = [("statuss", "unknown_parameter"), ("limit", "out_of_range"), ("type", "unknown_value")];
    assert_eq!(errors(&refused), expected);
    assert_eq!(refused.body["errors"][0]["suggestion"], "status");
}

#[tokio::test]
async fn pausing_and_resuming_answer_with_the_task() {
    let host = Host::with_plugin().await;
    host.create("hourly", json!({"type": "schedule", "preset": "@hourly"})).await;
    for _ in 0..2 {
        let paused = host.post("/v1/tasks/hourly/pause").await;
        assert_eq!((paused.status, &paused.body["status"]), (StatusCode::OK, &json!("paused")));
        assert_eq!((&paused.body["isPaused"], &paused.body["nextRunAt"]), (&json!(true), &Value::Null));
    }
    let resumed = host.post("/v1/tasks/hourly/resume").await;
    assert_eq!((resumed.status, &resumed.body["status"]), (StatusCode::OK, &json!("pending")));
    assert_eq!(resumed.body["nextRunAt"], "2025-06-01T13:00:00.000Z");
    for verb in ["pause", "resume", "run"] {
        let missing = host.post(&format!("/v1/tasks/nobody/{verb}")).await;
        assert_eq!((missing.status, &missing.body["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    }
}

#[tokio::test]
async fn a_task_is_deleted_once() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "event", "onEvent": "x"})).await;
    let deleted = host.delete("/v1/tasks/a").await;
    assert_eq!((deleted.status, deleted.body), (StatusCode::NO_CONTENT, Value::Null));
    assert_eq!(host.delete("/v1/tasks/a").await.status, StatusCode::NOT_FOUND);
    assert_eq!(host.get("/v1/tasks/a").await.status, StatusCode::NOT_FOUND);
    // What cannot be an id does not exist either.
    assert_eq!(host.get("/v1/tasks/a%20b").await.status, StatusCode::NOT_FOUND);
    assert_eq!(host.get("/v1/tasks/%ff").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_manual_run_is_given_its_event_and_data() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "schedule", "preset": "@hourly"})).await;
    let mut executions = host.executions();
    let plain = host.post("/v1/tasks/a/run").await;
    assert_eq!(plain.status, StatusCode::ACCEPTED);
    let first = host.get(&format!("/v1/executions/{}", ended(&mut executions).await)).await;
    assert_eq!((&first.body["runId"], &first.body["event"]), (&plain.body["runId"], &Value::Null));
    host.post_json("/v1/tasks/a/run", json!({"event": "test", "data": {"n": [1, null]}})).await;
    let second = host.get(&format!("/v1/executions/{}", ended(&mut executions).await)).await;
    assert_eq!((&second.body["event"], &second.body["output"]), (&json!("test"), &json!({"n": [1, null]})));
    assert_eq!(host.post_json("/v1/tasks/a/run", Value::Null).await.status, StatusCode::ACCEPTED);
    let refused = host.post_json("/v1/tasks/a/run", json!({"event": "user:*", "dat": 1})).await;
    assert_eq!(errors(&refused), [("dat", "unknown_field"), ("event", "invalid_event_name")]);
}
