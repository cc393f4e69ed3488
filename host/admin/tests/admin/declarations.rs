//! Declarations: what differs, who may change it, and that it is all or nothing.

use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH};
use innkeeper_model::id::Digest;
use serde_json::{Value, json};

use crate::support::{Answer, COMPONENT, Host, OPERATOR, column, errors, request, text};

const OTHER: &[u8] = b"\0asm another component";

fn digest(component: &[u8]) -> String {
    Digest::of(component).to_string()
}

async fn stage(host: &Host, component: &[u8], token: &str, tenant: &str) -> Answer {
    let mut asked = request("POST", "/v1/components").header(CONTENT_TYPE, "application/wasm");
    if !token.is_empty() {
        asked = asked.header(AUTHORIZATION, format!("Bearer {token}")).header("innkeeper-tenant", tenant);
    }
    host.send(asked.body(component.to_vec().into()).expect("a request")).await
}

async fn apply(host: &Host, body: Value) -> Answer {
    host.post_json("/v1/apply", body).await
}

fn names(answer: &Answer) -> Vec<String> {
    let changes = answer.body["changes"].as_array().expect("changes");
    let named = |change: &Value| {
        format!("{} {} {}", text(change, "action"), text(change, "kind"), text(change, "name"))
    };
    changes.iter().map(named).collect()
}

fn event_task(id: &str) -> Value {
    json!({"id": id, "type": "event", "onEvent": "x", "plugin": "new"})
}

#[tokio::test]
async fn what_is_declared_is_compared_and_then_changed() {
    let host = Host::start().await;
    let body = json!({
        "presets": [{"name": "@often", "cron": "*/5 * * * *"}],
        "plugins": [{"name": "new", "digest": digest(OTHER), "grants": {"config": ["k"]}, "limits": {"timeout": "1s", "concurrency": 2}}],
        "config": [{"key": "k", "value": "v"}, {"key": "s", "value": "s3cret", "secret": true}],
        "tasks": [event_task("a"), {"id": "b", "type": "schedule", "preset": "@often", "plugin": "new"}],
    });
    let dry = host.post_json("/v1/apply?dryRun=true", body.clone()).await;
    assert_eq!((dry.status, &dry.body["missing"]), (StatusCode::OK, &json!([digest(OTHER)])));
    let expected = [
        "create preset @often",
        "create plugin new",
        "create config k",
        "create config s",
        "create task a",
        "create task b",
    ];
    assert_eq!(names(&dry), expected);
    assert!(!dry.body.to_string().contains("s3cret"));
    let early = apply(&host, body.clone()).await;
    assert_eq!(errors(&early), [("plugins", "unknown_component")]);
    assert_eq!(stage(&host, OTHER, "", "").await.status, StatusCode::CREATED);
    let done = apply(&host, body.clone()).await;
    assert_eq!((done.status, names(&done)), (StatusCode::OK, expected.map(str::to_owned).to_vec()));
    assert_eq!(names(&apply(&host, body).await), Vec::<String>::new());
    assert_eq!(host.get("/v1/tasks/b").await.body["cron"], "*/5 * * * *");
    let exported = host.get("/v1/export").await;
    assert_eq!(exported.body["presets"][0]["name"], "@often");
    assert_eq!(exported.body["plugins"][0]["limits"], json!({"timeout": "1s", "concurrency": 2}));
    assert_eq!(exported.body["config"][1], json!({"key": "s", "value": null, "secret": true}));
    assert_eq!(
        exported.body["tasks"][0],
        json!({"id": "a", "type": "event", "onEvent": "x", "plugin": "new", "timezone": "UTC"})
    );
}

#[tokio::test]
async fn one_mistake_keeps_everything_as_it_is() {
    let host = Host::with_plugin().await;
    stage(&host, OTHER, "", "").await;
    let wrong = apply(
        &host,
        json!({
            "plugins": [{"name": "new", "digest": digest(OTHER)}],
            "config": [{"key": "no key", "value": "v"}, {"key": "s", "secret": true}],
            "tasks": [event_task("a"), event_task("a"), {"id": "b", "type": "event", "plugin": "none"}],
        }),
    )
    .await;
    let found = errors(&wrong);
    for expected in [
        ("config[0].key", "invalid_key"),
        ("config[1].value", "missing"),
        ("tasks[1].id", "repeated"),
        ("tasks[2].onEvent", "no_trigger"),
        ("tasks[2].plugin", "unknown_plugin"),
    ] {
        assert!(found.contains(&expected), "{expected:?}: {found:?}");
    }
    // A version that is named with its plugin is looked for with the change, after the plugin was stored.
    let pinned =
        json!({"id": "a", "type": "event", "onEvent": "x", "plugin": format!("new@{}", digest(b"none"))});
    let refused =
        apply(&host, json!({"plugins": [{"name": "new", "digest": digest(OTHER)}], "tasks": [pinned]})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(column(&host.get("/v1/plugins").await, "name"), ["greeter"]);
    assert_eq!(column(&host.get("/v1/tasks").await, "id"), Vec::<Value>::new());
}

#[tokio::test]
async fn a_secret_is_not_guessed_by_who_may_not_change_it() {
    let host = Host::with_tenants().await;
    let (admin, writer) = (host.token("one", "admin").await.0, host.token("one", "writer").await.0);
    let body = |value: &str| json!({"config": [{"key": "s", "value": value, "secret": true}]});
    let ask = async |token: &str, body| host.ask("POST", "/v1/apply", token, Some(body)).await;
    assert_eq!(ask(&admin, body("s3cret")).await.status, StatusCode::OK);
    let [right, wrong] = [ask(&writer, body("s3cret")).await, ask(&writer, body("other")).await];
    assert_eq!((right.status, text(&right.body, "code")), (StatusCode::FORBIDDEN, "forbidden"));
    assert_eq!(right.body["detail"], wrong.body["detail"]);
    let kept = json!({"config": [{"key": "s", "secret": true}]});
    assert_eq!(ask(&writer, kept).await.status, StatusCode::OK, "it may be there");
}

#[tokio::test]
async fn nothing_else_is_changed_than_was_shown() {
    let host = Host::with_plugin().await;
    let task = json!({"id": "a", "type": "event", "onEvent": "x", "plugin": "greeter"});
    let shown = host.post_json("/v1/apply?dryRun=true", json!({"tasks": [task]})).await;
    let tag = shown.headers[ETAG].clone();
    host.create("a", json!({"type": "event", "onEvent": "y"})).await;
    let send = async |tag| {
        let asked =
            request("POST", "/v1/apply").header(CONTENT_TYPE, "application/json").header(IF_MATCH, tag);
        host.send(asked.body(json!({"tasks": [task]}).to_string().into()).expect("a request")).await
    };
    let refused = send(tag).await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(host.get("/v1/tasks/a").await.body["onEvent"], "y");
    let now = refused.headers.get(ETAG).cloned().expect("what it is now");
    assert_eq!(send(now).await.status, StatusCode::OK);
    assert_eq!(host.get("/v1/tasks/a").await.body["onEvent"], "x");
}

#[tokio::test]
async fn a_pause_is_left_alone_and_what_is_not_declared_goes_only_if_that_is_asked_for() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "event", "onEvent": "x", "isPaused": true})).await;
    host.create("b", json!({"type": "event", "onEvent": "x"})).await;
    let task = json!({"id": "a", "type": "event", "onEvent": "x", "plugin": "greeter"});
    assert_eq!(names(&apply(&host, json!({"tasks": [task]})).await), Vec::<String>::new());
    let pruned = apply(&host, json!({"plugins": [{"name": "greeter", "digest": digest(COMPONENT)}], "tasks": [task], "prune": true})).await;
    assert_eq!(names(&pruned), ["delete task b"]);
    assert_eq!(host.get("/v1/tasks/a").await.body["isPaused"], true);
    let all = apply(&host, json!({"prune": true})).await;
    assert_eq!(names(&all), ["delete task a", "delete plugin greeter"]);
}

#[tokio::test]
async fn each_role_changes_what_it_may_and_a_component_is_its_tenants() {
    let host = Host::with_tenants().await;
    let (writer, _) = host.token("one", "writer").await;
    let (admin, _) = host.token("one", "admin").await;
    let task = json!({"tasks": [{"id": "a", "type": "event", "onEvent": "x", "plugin": "greeter"}]});
    let value = json!({"config": [{"key": "k", "value": "v"}]});
    let preset = json!({"presets": [{"name": "@often", "cron": "*/5 * * * *"}]});
    let ask = async |token: &str, body: &Value| {
        host.ask("POST", "/v1/apply", token, Some(body.clone())).await.status
    };
    assert_eq!(ask(&writer, &task).await, StatusCode::OK);
    assert_eq!(ask(&writer, &value).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(&admin, &value).await, StatusCode::OK);
    assert_eq!(ask(&writer, &value).await, StatusCode::OK, "it changes nothing");
    assert_eq!(ask(&admin, &preset).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(OPERATOR, &preset).await, StatusCode::OK);
    assert_eq!(stage(&host, OTHER, OPERATOR, "one").await.status, StatusCode::CREATED);
    let plugin = json!({"plugins": [{"name": "new", "digest": digest(OTHER)}]});
    let theirs = host.ask_for("other", "POST", "/v1/apply", OPERATOR, Some(plugin.clone())).await;
    assert_eq!(errors(&theirs), [("plugins", "unknown_component")]);
    assert_eq!(ask(&admin, &plugin).await, StatusCode::OK);
    let wrong = stage(&host, b"no component", OPERATOR, "one").await;
    assert_eq!(
        (wrong.status, text(&wrong.body, "code")),
        (StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused")
    );
}
