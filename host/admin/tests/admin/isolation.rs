//! What belongs to another tenant answers exactly as what does not exist, in every field of every request.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Host, OPERATOR, column, text};

const NOWHERE: &str = "0190a0a0-0000-7000-8000-000000000000";

/// Asks for something of another tenant's, and for something that does not exist. But for the names the answers agree.
async fn same(
    host: &Host,
    token: &str,
    (method, path): (&str, &str),
    body: &Value,
    (theirs, none): (&str, &str),
) {
    let mut answers = Vec::new();
    for name in [theirs, none] {
        let body = (method != "GET").then(|| fill(body, name));
        let path = path.replace("NAME", name);
        let Answer { status, body, .. } = host.ask(method, &path, token, body).await;
        answers.push((status, body.to_string().replace(name, "NAME")));
    }
    assert_eq!(answers[0], answers[1], "{method} {path}");
}

fn fill(body: &Value, name: &str) -> Value {
    serde_json::from_str(&body.to_string().replace("NAME", name)).expect("JSON")
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let host = Host::with_tenants().await;
    let (one, other) = (host.token("one", "admin").await, host.token("other", "admin").await);
    let task = json!({"id": "theirs", "type": "event", "onEvent": "hold", "plugin": "greeter"});
    assert_eq!(host.ask("POST", "/v1/tasks", &one.0, Some(task)).await.status, StatusCode::CREATED);
    let publication = json!({"event": "hold", "idempotencyKey": "key"});
    let published = host.ask("POST", "/v1/events", &one.0, Some(publication.clone())).await;
    assert_eq!(published.body["runs"], 1);
    crate::support::arrival(&host.held).await;
    let executions = host.ask("GET", "/v1/tasks/theirs/executions", &one.0, None).await;
    let execution = text(&executions.body["items"][0], "id").to_owned();
    let plugin = host.ask("GET", "/v1/plugins/greeter", &one.0, None).await;
    let digest = text(&plugin.body, "digest").to_owned();

    let empty = json!({});
    let tasks = ("theirs", "nobody");
    for route in [
        ("GET", "/v1/tasks/NAME"),
        ("DELETE", "/v1/tasks/NAME"),
        ("POST", "/v1/tasks/NAME/pause"),
        ("POST", "/v1/tasks/NAME/resume"),
        ("POST", "/v1/tasks/NAME/run"),
        ("GET", "/v1/tasks/NAME/next-runs"),
        ("GET", "/v1/tasks/NAME/skips"),
        ("GET", "/v1/tasks/NAME/executions"),
        ("GET", "/v1/tasks?cursor=NAME"),
    ] {
        same(&host, &other.0, route, &empty, tasks).await;
    }
    for route in [
        ("GET", "/v1/executions/NAME"),
        ("GET", "/v1/executions/NAME/logs"),
        ("POST", "/v1/executions/NAME/cancel"),
        ("GET", "/v1/tasks/own/executions?cursor=NAME"),
    ] {
        same(&host, &other.0, route, &empty, (&execution, NOWHERE)).await;
    }
    for route in [
        ("GET", "/v1/plugins/NAME"),
        ("DELETE", "/v1/plugins/NAME"),
        ("GET", "/v1/plugins/NAME/limits"),
        ("PUT", "/v1/plugins/NAME/limits"),
    ] {
        same(&host, &other.0, route, &empty, ("greeter", "nowhere")).await;
    }
    for route in [("DELETE", "/v1/tokens/NAME"), ("POST", "/v1/tokens/NAME/rotate")] {
        same(&host, &other.0, route, &empty, (&one.1, NOWHERE)).await;
    }
    let by_name = json!({"id": "own", "type": "event", "onEvent": "x", "plugin": "NAME"});
    same(&host, &other.0, ("POST", "/v1/tasks"), &by_name, ("greeter", "nowhere")).await;
    let by_digest = json!({"id": "own", "type": "event", "onEvent": "x", "plugin": "greeter@NAME"});
    let no_digest = "0".repeat(64);
    same(&host, &other.0, ("POST", "/v1/tasks"), &by_digest, (&digest, &no_digest)).await;
    same(&host, &other.0, ("PUT", "/v1/tasks/own"), &by_digest, (&digest, &no_digest)).await;

    // A key that another has used is as good as new, and the event is heard by nobody.
    let repeated = host.ask("POST", "/v1/events", &other.0, Some(publication)).await;
    assert_eq!((repeated.status, &repeated.body["runs"]), (StatusCode::ACCEPTED, &json!(0)));
    assert_ne!(repeated.body["eventId"], published.body["eventId"]);
    for list in ["/v1/tasks", "/v1/plugins"] {
        assert!(column(&host.ask("GET", list, &other.0, None).await, "id").is_empty(), "{list}");
    }
    assert_eq!(host.ask("GET", "/v1/stats", &other.0, None).await.body["total"], 0);
    let still = host.ask("GET", &format!("/v1/executions/{execution}"), &one.0, None).await;
    assert_eq!(still.body["status"], "running", "nobody has touched it");
    let cancel =
        host.ask("POST", &format!("/v1/executions/{execution}/cancel"), &one.0, Some(json!({}))).await;
    assert_eq!(cancel.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_same_names_of_two_tenants_do_not_meet() {
    let host = Host::with_tenants().await;
    let (one, other) = (host.token("one", "admin").await.0, host.token("other", "admin").await.0);
    let upload = crate::support::request("PUT", "/v1/plugins/greeter")
        .header("content-type", "application/wasm")
        .header("authorization", format!("Bearer {other}"));
    let upload = upload.body(b"\0asm another".to_vec().into()).expect("a request");
    assert_eq!(host.send(upload).await.status, StatusCode::CREATED);
    for token in [&one, &other] {
        let task = json!({"id": "same", "type": "event", "onEvent": "x", "plugin": "greeter"});
        assert_eq!(host.ask("POST", "/v1/tasks", token, Some(task)).await.status, StatusCode::CREATED);
    }
    let published = host.ask("POST", "/v1/events", &one, Some(json!({"event": "x"}))).await;
    assert_eq!(published.body["runs"], 1, "only one's own task hears it");
    assert_eq!(host.ask("DELETE", "/v1/tasks/same", &one, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.ask("GET", "/v1/tasks/same", &other, None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn only_the_operator_names_a_tenant() {
    let host = Host::with_tenants().await;
    let own = host.token("one", "admin").await.0;
    assert_eq!(host.ask_for("one", "GET", "/v1/tasks", &own, None).await.status, StatusCode::OK);
    let mut refusals = Vec::new();
    for tenant in ["other", "nowhere", "NOT A NAME"] {
        let refused = host.ask_for(tenant, "GET", "/v1/tasks", &own, None).await;
        refusals.push((refused.status, refused.body));
    }
    assert_eq!(refusals[0].0, StatusCode::FORBIDDEN);
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "it learns of none whether it exists");
    let unknown = host.ask_for("nowhere", "GET", "/v1/tasks", OPERATOR, None).await;
    assert_eq!((unknown.status, text(&unknown.body, "code")), (StatusCode::NOT_FOUND, "not_found"));
    let of_other = host.ask_for("other", "GET", "/v1/plugins", OPERATOR, None).await;
    assert!(column(&of_other, "name").is_empty());
    let of_one = host.ask_for("one", "GET", "/v1/plugins", OPERATOR, None).await;
    assert_eq!(column(&of_one, "name"), ["greeter"]);
}
