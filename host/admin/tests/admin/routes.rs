//! What is where, and what is not.

use std::future::pending;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use serde_json::json;

use crate::support::{Host, column, errors, request};

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let host = Host::start().await;
    for path in ["/", "/v1", "/v1/task", "/v1/tasks/", "/v1/tasks/a/b/c"] {
        let missing = host.get(path).await;
        assert_eq!(
            (missing.status, &missing.body["code"]),
            (StatusCode::NOT_FOUND, &json!("no_such_route")),
            "{path}"
        );
    }
    let wrong = host.delete("/v1/tasks").await;
    assert_eq!(
        (wrong.status, &wrong.body["code"]),
        (StatusCode::METHOD_NOT_ALLOWED, &json!("method_not_allowed"))
    );
    assert_eq!(wrong.headers[ALLOW], "GET,HEAD,POST");
}

#[tokio::test]
async fn json_must_be_declared() {
    let host = Host::start().await;
    for path in ["/v1/tasks", "/v1/events", "/v1/schedules/preview", "/v1/tasks/a/run"] {
        let request = request("POST", path).header(CONTENT_TYPE, "text/plain").body("{}".into());
        let refused = host.send(request.expect("a request")).await;
        assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
    }
}

#[tokio::test]
async fn parameters_that_nobody_reads_are_refused() {
    let host = Host::start().await;
    for path in ["/v1/presets", "/v1/stats", "/v1/plugins", "/v1/tasks/a", "/v1/plugins/a"] {
        let refused = host.get(&format!("{path}?verbose=1")).await;
        assert_eq!(errors(&refused), [("verbose", "unknown_parameter")], "{path}");
    }
}

#[tokio::test]
async fn stats_count_the_specified_and_more() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "event", "onEvent": "x"})).await;
    host.create("b", json!({"type": "schedule", "preset": "@hourly"})).await;
    host.create("c", json!({"type": "schedule", "after": "5m", "isPaused": true})).await;
    let stats = host.get("/v1/stats").await;
    let expected = json!({
        "total": 3, "pending": 2, "running": 0, "paused": 1, "scheduledJobs": 1, "timeouts": 0, "subscribers": 1,
        "queuedRuns": 0, "runningRuns": 0,
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&stats.body[key], value, "{key}");
    }
    assert!(stats.body["timezoneData"].as_str().is_some_and(|text| text.starts_with("20")));
    assert_eq!(stats.body["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn presets_are_listed() {
    let host = Host::start().await;
    let presets = host.get("/v1/presets").await;
    let names = column(&presets, "name");
    assert_eq!(names, ["@daily", "@hourly", "@midnight", "@monthly", "@weekly", "@yearly"]);
    assert_eq!(column(&presets, "cron")[1], "0 * * * *");
}

#[tokio::test]
async fn a_host_that_shuts_down_says_so() {
    let host = Host::with_plugin().await;
    let checks = json!(["draining", "store", "disk"].map(|name| json!({"name": name, "ok": true})));
    assert_eq!(host.get("/readyz").await.body, json!({"status": "ready", "checks": checks}));
    host.runner.shutdown(pending()).await;
    let unready = host.get("/readyz").await;
    assert_eq!(
        (unready.status, &unready.body["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("shutting_down"))
    );
    assert!(unready.headers.contains_key(RETRY_AFTER));
    assert_eq!(host.get("/healthz").await.body, json!({"status": "ok"}));
    let refused = host.create("a", json!({"type": "event", "onEvent": "x"})).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("shutting_down"))
    );
    assert_eq!(host.upload("b", crate::support::COMPONENT).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(host.get("/v1/plugins/greeter").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_head_is_answered_without_a_body() {
    let host = Host::start().await;
    let answer = host.send(request("HEAD", "/v1/stats").body(Body::empty()).expect("a request")).await;
    assert_eq!((answer.status, answer.body.is_null()), (StatusCode::OK, true));
}
