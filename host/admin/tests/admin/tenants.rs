//! Tenants: created, changed, held to their quotas, disabled, deleted.

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use serde_json::{Value, json};

use crate::support::{Answer, Host, OPERATOR, column, errors, text};

async fn change(host: &Host, patch: Value) -> Answer {
    let changed = host.ask("PATCH", "/v1/tenants/one", OPERATOR, Some(patch)).await;
    assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.body);
    changed
}

async fn publish(host: &Host, token: &str, count: usize) -> Answer {
    let events = vec![json!({"event": "x", "data": "0123456789"}); count];
    host.ask("POST", "/v1/events", token, Some(events.into())).await
}

#[tokio::test]
async fn a_tenant_is_created_shown_and_changed() {
    let host = Host::with_tenants().await;
    let listed = host.ask("GET", "/v1/tenants", OPERATOR, None).await;
    assert_eq!(column(&listed, "id"), ["default", "one", "other"]);
    let taken = host.ask("POST", "/v1/tenants", OPERATOR, Some(json!({"id": "one"}))).await;
    assert_eq!((taken.status, text(&taken.body, "code")), (StatusCode::CONFLICT, "tenant_exists"));
    let changed = change(
        &host,
        json!({"weight": 3, "timezone": "Europe/Rome", "limits": {"fuel": 5}, "quotas": {"tasks": 2}}),
    )
    .await;
    assert_eq!(changed.body["limits"], json!({"fuel": 5}));
    assert_eq!(changed.body["effectiveLimits"]["fuel"], 5);
    assert_eq!(changed.body["effectiveLimits"]["timeout"], "30s");
    assert_eq!((&changed.body["quotas"], &changed.body["weight"]), (&json!({"tasks": 2}), &json!(3)));
    assert_eq!(changed.body["effectiveQuotas"]["concurrency"], 224, "a reserve is left to others");
    let own = host.ask("GET", "/v1/tenant", &host.token("one", "reader").await.0, None).await;
    assert_eq!((text(&own.body, "id"), &own.body["usage"]["plugins"]), ("one", &json!(1)));
    let wrong =
        json!({"weight": 1000, "timezone": "Europe/Atlantis", "quotas": {"task": 1}, "limits": {"fuel": 0}});
    let refused = host.ask("PATCH", "/v1/tenants/one", OPERATOR, Some(wrong)).await;
    let mut fields: Vec<_> = errors(&refused).into_iter().map(|(field, _)| field).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["limits.fuel", "quotas.task", "weight"]);
    let wrong =
        host.ask("PATCH", "/v1/tenants/one", OPERATOR, Some(json!({"timezone": "Europe/Roma"}))).await;
    assert_eq!(errors(&wrong), [("timezone", "unknown_timezone")]);
}

#[tokio::test]
async fn a_tenants_zone_is_that_of_its_tasks() {
    let host = Host::with_tenants().await;
    change(&host, json!({"timezone": "Europe/Rome"})).await;
    let writer = host.token("one", "writer").await.0;
    let task = json!({"id": "a", "type": "schedule", "cron": "0 9 * * *", "plugin": "greeter"});
    let created = host.ask("POST", "/v1/tasks", &writer, Some(task)).await;
    assert_eq!(text(&created.body, "timezone"), "Europe/Rome");
    let preview =
        host.ask("POST", "/v1/schedules/preview", &writer, Some(json!({"cron": "0 9 * * *", "count": 1})));
    assert_eq!(preview.await.body["next"], json!(["2025-06-02T07:00:00.000Z"]));
}

#[tokio::test]
async fn what_is_over_a_count_is_refused_by_name_and_harms_only_its_owner() {
    let host = Host::with_tenants().await;
    change(&host, json!({"quotas": {"tasks": 1, "plugins": 1, "storedBytes": 100}})).await;
    let (one, other) = (host.token("one", "admin").await.0, host.token("other", "admin").await.0);
    let task = |id: &str| json!({"id": id, "type": "event", "onEvent": "y", "plugin": "greeter"});
    assert_eq!(host.ask("POST", "/v1/tasks", &one, Some(task("a"))).await.status, StatusCode::CREATED);
    for (method, path) in [("POST", "/v1/tasks"), ("PUT", "/v1/tasks/b")] {
        let refused = host.ask(method, path, &one, Some(task("b"))).await;
        assert_eq!((refused.status, text(&refused.body, "code")), (StatusCode::CONFLICT, "quota_exceeded"));
        assert_eq!(errors(&refused), [("tasks", "quota_exceeded")]);
        assert!(text(&refused.body, "detail").contains("quota `tasks` of 1: delete tasks"), "{refused:?}");
    }
    assert_eq!(host.ask("PUT", "/v1/tasks/a", &one, Some(task("a"))).await.status, StatusCode::OK);
    assert_eq!(host.ask("DELETE", "/v1/tasks/a", &one, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.ask("POST", "/v1/tasks", &one, Some(task("b"))).await.status, StatusCode::CREATED);
    let upload = |name: &str, token: &str, bytes: Vec<u8>| {
        let request = crate::support::request("PUT", &format!("/v1/plugins/{name}"))
            .header("content-type", "application/wasm")
            .header("authorization", format!("Bearer {token}"));
        host.send(request.body(bytes.into()).expect("a request"))
    };
    let second = upload("second", &one, b"\0asm 2".to_vec()).await;
    assert_eq!(errors(&second), [("plugins", "quota_exceeded")]);
    let large = [b"\0asm".to_vec(), vec![0; 200]].concat();
    assert_eq!(errors(&upload("greeter", &one, large.clone()).await), [("storedBytes", "quota_exceeded")]);
    assert_eq!(errors(&publish(&host, &one, 9).await), [("storedBytes", "quota_exceeded")]);
    let value = Some(json!({"value": "x".repeat(200)}));
    let refused = host.ask("PUT", "/v1/config/k", &one, value).await;
    assert_eq!(errors(&refused), [("storedBytes", "quota_exceeded")]);
    let with_metadata =
        json!({"onEvent": "y", "type": "event", "plugin": "greeter", "metadata": {"text": "x".repeat(200)}});
    let refused = host.ask("PUT", "/v1/tasks/b", &one, Some(with_metadata)).await;
    assert_eq!(errors(&refused), [("storedBytes", "quota_exceeded")]);
    assert_eq!(publish(&host, &one, 1).await.status, StatusCode::ACCEPTED);
    assert_eq!(upload("second", &other, large).await.status, StatusCode::CREATED);
    assert_eq!(publish(&host, &other, 9).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_is_over_a_rate_is_told_when_to_come_back() {
    let host = Host::with_tenants().await;
    change(&host, json!({"quotas": {"eventsPerSecond": 2, "uploadsPerHour": 1}})).await;
    let (one, other) = (host.token("one", "admin").await.0, host.token("other", "writer").await.0);
    assert_eq!(publish(&host, &one, 20).await.status, StatusCode::ACCEPTED, "ten seconds' worth at once");
    let refused = publish(&host, &one, 3).await;
    assert_eq!(
        (refused.status, &refused.headers[RETRY_AFTER]),
        (StatusCode::TOO_MANY_REQUESTS, &"2".parse().expect("text"))
    );
    assert_eq!(errors(&refused), [("eventsPerSecond", "quota_exceeded")]);
    assert_eq!(publish(&host, &other, 100).await.status, StatusCode::ACCEPTED);
    host.clock.set("2025-06-01T12:00:02Z".parse().expect("an instant"));
    assert_eq!(publish(&host, &one, 3).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn more_waiting_runs_than_allowed_are_refused_all_or_none() {
    let host = Host::with_tenants().await;
    change(&host, json!({"quotas": {"queuedRuns": 3, "concurrency": 1}})).await;
    let one = host.token("one", "writer").await.0;
    let task = json!({"id": "a", "type": "event", "onEvent": "x", "plugin": "greeter", "isPaused": true});
    assert_eq!(host.ask("POST", "/v1/tasks", &one, Some(task)).await.status, StatusCode::CREATED);
    for _ in 0..3 {
        let started = host.ask("POST", "/v1/tasks/a/run", &one, None).await;
        assert_eq!(started.status, StatusCode::ACCEPTED);
    }
    let refused = host.ask("POST", "/v1/tasks/a/run", &one, None).await;
    assert_eq!(
        (refused.status, errors(&refused)),
        (StatusCode::TOO_MANY_REQUESTS, vec![("queuedRuns", "quota_exceeded")])
    );
    assert!(refused.headers.contains_key(RETRY_AFTER));
    let refused = publish(&host, &one, 2).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "a listener would wait, paused or not");
    assert_eq!(host.ask("DELETE", "/v1/tasks/a", &one, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(publish(&host, &one, 2).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_disabled_tenant_is_refused_and_an_enabled_one_goes_on() {
    let host = Host::with_tenants().await;
    let one = host.token("one", "writer").await.0;
    let task = json!({"id": "a", "type": "schedule", "preset": "@hourly", "plugin": "greeter"});
    assert_eq!(host.ask("POST", "/v1/tasks", &one, Some(task)).await.status, StatusCode::CREATED);
    let disabled = host.ask("POST", "/v1/tenants/one/disable", OPERATOR, None).await;
    assert_eq!((disabled.status, text(&disabled.body, "status")), (StatusCode::OK, "disabled"));
    let refused = host.ask("GET", "/v1/tasks", &one, None).await;
    assert_eq!((refused.status, text(&refused.body, "code")), (StatusCode::FORBIDDEN, "tenant_disabled"));
    let shown = host.ask_for("one", "GET", "/v1/tasks/a", OPERATOR, None).await;
    assert_eq!(shown.body["nextRunAt"], json!(null));
    assert!(text(&shown.body, "waitingFor").contains("disabled"), "{:?}", shown.body);
    let refused = host.ask_for("one", "POST", "/v1/tasks/a/run", OPERATOR, None).await;
    assert_eq!((refused.status, text(&refused.body, "code")), (StatusCode::CONFLICT, "tenant_disabled"));
    assert_eq!(host.ask("POST", "/v1/tenants/one/enable", OPERATOR, None).await.status, StatusCode::OK);
    let shown = host.ask("GET", "/v1/tasks/a", &one, None).await;
    assert_eq!(text(&shown.body, "nextRunAt"), "2025-06-01T13:00:00.000Z");
}

#[tokio::test]
async fn a_deleted_tenant_is_gone_with_everything_and_its_name_is_free() {
    let host = Host::with_tenants().await;
    let one = host.token("one", "writer").await.0;
    let task = json!({"id": "a", "type": "event", "onEvent": "hold", "plugin": "greeter"});
    assert_eq!(host.ask("POST", "/v1/tasks", &one, Some(task)).await.status, StatusCode::CREATED);
    host.ask("POST", "/v1/events", &one, Some(json!({"event": "hold"}))).await;
    crate::support::arrival(&host.held).await;
    let deleted = host.ask("DELETE", "/v1/tenants/one", OPERATOR, None).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{:?}", deleted.body);
    assert_eq!(host.ask("GET", "/v1/tasks", &one, None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(host.ask("GET", "/v1/tenants/one", OPERATOR, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(host.ask("DELETE", "/v1/tenants/one", OPERATOR, None).await.status, StatusCode::NOT_FOUND);
    let again = host.ask("POST", "/v1/tenants", OPERATOR, Some(json!({"id": "one"}))).await;
    assert_eq!(again.status, StatusCode::CREATED);
    let usage = host.ask("GET", "/v1/tenants/one", OPERATOR, None).await;
    assert_eq!(usage.body["usage"], json!({"tasks": 0, "plugins": 0, "storedBytes": 0}));
    let kept = host.ask("DELETE", "/v1/tenants/default", OPERATOR, None).await;
    assert_eq!(errors(&kept), [("id", "default_tenant")]);
}

#[tokio::test]
async fn changes_are_on_record() {
    let host = Host::with_tenants().await;
    let (admin, id) = host.token("one", "admin").await;
    host.ask("DELETE", "/v1/tasks/nothing", &admin, None).await;
    host.ask("GET", "/v1/tasks", &admin, None).await;
    // Notes are written in the order in which they are made: this one comes after the others.
    host.runner.shutdown(std::future::pending()).await;
    let record = host.ask("GET", "/v1/audit?limit=1", &admin, None).await;
    assert_eq!(column(&record, "path"), ["/v1/tasks/nothing"]);
    assert_eq!(column(&record, "status"), [404]);
    assert_eq!(column(&record, "actor"), [json!(format!("admin of one ({id})"))]);
    let cursor = text(&record.body, "nextCursor").to_owned();
    let older = host.ask("GET", &format!("/v1/audit?cursor={cursor}"), &admin, None).await;
    assert_eq!(column(&older, "path"), ["/v1/tokens", "/v1/plugins/greeter"]);
    let operators = host.ask("GET", "/v1/audit", OPERATOR, None).await;
    assert_eq!(column(&operators, "path"), ["/v1/tenants", "/v1/tenants"]);
}
