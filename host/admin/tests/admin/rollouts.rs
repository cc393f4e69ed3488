//! How versions take effect: grants, trials, what waits, uploads that go on by themselves.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use innkeeper_model::id::Digest;
use serde_json::{Value, json};

use crate::support::{Answer, COMPONENT, Host, PATIENCE, arrival, column, errors, request, text};

/// A component that imports outgoing HTTP.
const REACHING: &[u8] = b"\0asm http";

async fn put(host: &Host, parameters: &str, component: &[u8]) -> Answer {
    let path = format!("/v1/plugins/greeter?{parameters}");
    let request = request("PUT", &path).header(CONTENT_TYPE, "application/wasm");
    host.send(request.body(component.to_vec().into()).expect("a request")).await
}

async fn active(host: &Host) -> Value {
    host.get("/v1/plugins/greeter").await.body["digest"].clone()
}

fn digest(component: &[u8]) -> String {
    Digest::of(component).to_string()
}

#[tokio::test]
async fn a_version_that_reaches_for_more_waits_for_a_decision() {
    let host = Host::with_plugin().await;
    for parameters in ["", "dryRun=true", "allow=kv=x", "migrate=true"] {
        let refused = put(&host, parameters, REACHING).await;
        assert_eq!((refused.status, text(&refused.body, "code")), (StatusCode::CONFLICT, "grants_needed"));
        assert_eq!(errors(&refused), [("allow", "grant_needed")]);
    }
    assert_eq!(active(&host).await, digest(COMPONENT));
    assert_eq!(column(&host.get("/v1/plugins/greeter/versions").await, "digest"), [digest(COMPONENT)]);
    let allowed = put(&host, "allow=http=https://a.org&allow=kv=x", REACHING).await;
    assert_eq!(allowed.status, StatusCode::CREATED);
    let changes = json!({
        "before": {"digest": digest(COMPONENT), "size": COMPONENT.len(), "handler": "plugin"},
        "importsAdded": ["wasi:http/outgoing-handler@0.2.0"], "importsRemoved": [],
        "newlyNeeded": ["http"], "missing": [],
    });
    assert_eq!(allowed.body["changes"], changes);
    let grants = host.get("/v1/plugins/greeter/grants").await.body;
    assert_eq!(grants, json!({"http": ["https://a.org"], "keyValue": ["x"], "config": []}));
}

#[tokio::test]
async fn a_first_version_and_one_that_is_to_be_denied_need_no_grant() {
    let host = Host::start().await;
    let first = put(&host, "", REACHING).await;
    assert_eq!((first.status, &first.body["changes"]["missing"]), (StatusCode::CREATED, &json!(["http"])));
    assert_eq!(put(&host, "", COMPONENT).await.status, StatusCode::CREATED);
    assert_eq!(put(&host, "", REACHING).await.status, StatusCode::CONFLICT);
    let back = host.post("/v1/plugins/greeter/rollback").await;
    assert_eq!((back.status, text(&back.body, "code")), (StatusCode::CONFLICT, "grants_needed"));
    let denied = put(&host, "withoutGrants=true", REACHING).await;
    assert_eq!((denied.status, active(&host).await), (StatusCode::CREATED, json!(digest(REACHING))));
    let grants = host.get("/v1/plugins/greeter/grants").await.body;
    assert_eq!(grants["http"], json!([]), "nothing is granted with that");
}

#[tokio::test]
async fn a_version_may_be_kept_without_being_active() {
    let host = Host::start().await;
    let kept = put(&host, "activate=false", COMPONENT).await;
    assert_eq!((kept.status, &kept.body["digest"]), (StatusCode::CREATED, &Value::Null));
    assert_eq!(
        (&kept.body["version"]["isActive"], &kept.body["version"]["digest"]),
        (&json!(false), &json!(digest(COMPONENT)))
    );
    assert_eq!(active(&host).await, Value::Null);
    let task = json!({"type": "event", "onEvent": "x"});
    assert_eq!(errors(&host.create("a", task.clone()).await), [("plugin", "no_active_version")]);
    let mut pinned = json!({"id": "b", "plugin": format!("greeter@{}", digest(COMPONENT))});
    pinned.as_object_mut().expect("an object").extend(task.as_object().cloned().expect("an object"));
    assert_eq!(host.post_json("/v1/tasks", pinned).await.status, StatusCode::CREATED);
    assert_eq!(host.post("/v1/plugins/greeter/rollback").await.status, StatusCode::NOT_FOUND);
    let wish = json!({"digest": digest(COMPONENT)});
    assert_eq!(host.post_json("/v1/plugins/greeter/activate", wish).await.status, StatusCode::OK);
    assert_eq!(active(&host).await, digest(COMPONENT));
    assert_eq!(host.create("a", task).await.status, StatusCode::CREATED);
    assert_eq!(
        errors(&put(&host, "activate=false&migrate=true", COMPONENT).await),
        [("activate", "contradiction")]
    );
    assert_eq!(errors(&put(&host, "allow=file=/etc", COMPONENT).await), [("allow", "invalid_grant")]);
}

#[tokio::test]
async fn a_version_must_do_well_with_the_sample_to_be_active() {
    let host = Host::with_plugin().await;
    put(&host, "activate=false", b"\0asm other").await;
    let activate =
        |event: &str| json!({"digest": digest(b"\0asm other"), "canary": {"event": event, "data": 7}});
    let failed = host.post_json("/v1/plugins/greeter/activate", activate("x:fail")).await;
    assert_eq!(
        (failed.status, text(&failed.body, "code")),
        (StatusCode::UNPROCESSABLE_ENTITY, "canary_failed")
    );
    let trial = &failed.body["trial"];
    assert_eq!((text(trial, "kind"), text(trial, "error")), ("handler_error", "it was told to: 7"));
    assert_eq!(trial["logs"][0]["message"], "hello");
    assert_eq!(active(&host).await, digest(COMPONENT));
    let done = host.post_json("/v1/plugins/greeter/activate", activate("x")).await;
    assert_eq!((done.status, &done.body["trial"]["output"]), (StatusCode::OK, &json!(7)));
    assert_eq!(active(&host).await, digest(b"\0asm other"));
    assert_eq!(column(&host.get("/v1/executions").await, "id").len(), 0, "a trial is no execution");
}

#[tokio::test]
async fn versions_say_who_uploaded_them_and_go_unless_they_are_needed() {
    let host = Host::with_plugin().await;
    put(&host, "", b"\0asm other").await;
    let path = |component: &[u8]| format!("/v1/plugins/greeter/versions/{}", digest(component));
    let shown = host.get(&path(COMPONENT)).await.body;
    assert_eq!((&shown["state"], &shown["elapsedMs"]), (&json!("ready"), &Value::Null));
    assert_eq!(
        (&shown["version"]["uploadedBy"], &shown["version"]["handler"]),
        (&json!("whoever sits at this machine"), &json!("plugin"))
    );
    let pinned = json!({"id": "pin", "type": "event", "onEvent": "x", "plugin": format!("greeter@{}", digest(COMPONENT))});
    assert_eq!(host.post_json("/v1/tasks", pinned).await.status, StatusCode::CREATED);
    for component in [COMPONENT, b"\0asm other"] {
        let refused = host.delete(&path(component)).await;
        assert_eq!((refused.status, text(&refused.body, "code")), (StatusCode::CONFLICT, "version_in_use"));
    }
    host.delete("/v1/tasks/pin").await;
    assert_eq!(host.delete(&path(COMPONENT)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.delete(&path(COMPONENT)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(host.get(&path(COMPONENT)).await.status, StatusCode::NOT_FOUND);
}

/// Begins an upload without waiting for its end.
async fn begin(host: &Host, component: &[u8]) -> Answer {
    let request = request("PUT", "/v1/plugins/greeter").header(CONTENT_TYPE, "application/wasm");
    let request = request.header("Prefer", "respond-async");
    host.send(request.body(component.to_vec().into()).expect("a request")).await
}

/// What is at `path` once it is no longer being compiled.
async fn done(host: &Host, path: &str) -> Value {
    let waiting = async {
        loop {
            let state = host.get(path).await.body;
            if state["state"] != "compiling" {
                return state;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it is done in time")
}

#[tokio::test]
async fn an_upload_goes_on_though_nobody_waits() {
    let host = Host::start().await;
    let held = host.admissions.clone().acquire_many_owned(1000).await.expect("never closed");
    let accepted = begin(&host, COMPONENT).await;
    assert_eq!((accepted.status, text(&accepted.body, "state")), (StatusCode::ACCEPTED, "compiling"));
    assert_eq!(accepted.headers["preference-applied"], "respond-async");
    let path = accepted.headers[LOCATION].to_str().expect("text").to_owned();
    assert_eq!(path, format!("/v1/plugins/greeter/versions/{}", digest(COMPONENT)));
    arrival(&host.uploads).await;
    host.clock.advance(std::time::Duration::from_secs(3));
    let state = host.get(&path).await.body;
    assert_eq!((text(&state, "state"), &state["elapsedMs"]), ("compiling", &json!(3000)));
    assert_eq!(host.get("/v1/plugins/greeter").await.status, StatusCode::NOT_FOUND);
    drop(held);
    let state = done(&host, &path).await;
    assert_eq!((text(&state, "state"), &state["status"]), ("ready", &json!(201)));
    assert_eq!(
        (&state["answer"]["digest"], &state["version"]["isActive"]),
        (&json!(digest(COMPONENT)), &json!(true))
    );
    assert_eq!(host.delete("/v1/plugins/greeter").await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.get(&path).await.status, StatusCode::NOT_FOUND, "nothing is left of it");
}

#[tokio::test]
async fn what_such_an_upload_is_refused_for_can_be_read() {
    let host = Host::start().await;
    let accepted = begin(&host, b"#!/bin/sh").await;
    let state = match accepted.status {
        StatusCode::ACCEPTED => done(&host, accepted.headers[LOCATION].to_str().expect("text")).await,
        // It was done before it was looked.
        status => {
            json!({"state": "refused", "status": status.as_u16(), "version": null, "answer": accepted.body})
        }
    };
    assert_eq!((text(&state, "state"), &state["status"]), ("refused", &json!(422)));
    assert_eq!((text(&state["answer"], "code"), &state["version"]), ("plugin_refused", &Value::Null));
}
