//! The plugins on the shelf that talk to other servers do so, each with its sample task.

use std::path::Path;

use innkeeper_tests::{HttpServer, Reply, TestHost};
use serde_json::{Value, json};

use crate::components::{
    ECHO, FAIL_PERMANENTLY, FETCH_SMALL, GREETER, HTTP_REQUEST, UPTIME_CHECK, WEBHOOK_RELAY,
};
use crate::egress::{ALLOW_LOOPBACK, grant};

/// The sample task of a plugin, aimed at `server` instead of where it points.
fn sample(plugin: &str, server: &HttpServer) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests have a workspace");
    let text =
        std::fs::read_to_string(root.join("plugins").join(plugin).join("task.json")).expect("a sample");
    let mut parts = text.split("https://");
    let mut aimed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        aimed.push_str(&server.url());
        aimed.push_str(&part[part.find(['/', '"']).unwrap_or(0)..]);
    }
    serde_json::from_str(&aimed).expect("a sample is JSON")
}

/// A host with the plugin, and its sample task as one that an event starts.
fn host_with(plugin: &str, component: &str, server: &HttpServer) -> (TestHost, Value) {
    let host = TestHost::start_with(&ALLOW_LOOPBACK);
    host.push(plugin, component);
    grant(&host, plugin, &[&server.url()]);
    let mut task = sample(plugin, server);
    for trigger in ["cron", "preset", "at", "after"] {
        task.as_object_mut().expect("an object").remove(trigger);
    }
    (host, task)
}

#[test]
fn a_sample_task_is_taken_as_it_is() {
    let host = TestHost::start();
    let server = HttpServer::start(|_| Reply::answer("200 OK", &[], ""));
    for (plugin, component) in
        [("http-request", HTTP_REQUEST), ("uptime-check", UPTIME_CHECK), ("webhook-relay", WEBHOOK_RELAY)]
    {
        host.push(plugin, component);
        host.create(&sample(plugin, &server));
    }
}

#[test]
fn a_request_is_made_from_metadata() {
    let server =
        HttpServer::start(|_| Reply::answer("200 OK", &["content-type: application/json"], r#"{"n":1}"#));
    let (host, task) = host_with("http-request", HTTP_REQUEST, &server);
    let execution = host.run_once(&task, &json!({"region": "north"}));
    assert_eq!(execution["status"], "success", "{execution}");
    assert_eq!(
        (&execution["output"]["status"], &execution["output"]["body"]),
        (&json!(200), &json!({"n": 1}))
    );
    let sent = server.requests().remove(0);
    assert!(sent.starts_with("POST /reports HTTP/1.1"), "{sent}");
    assert!(sent.contains(execution["runId"].as_str().expect("a run")), "{sent}");
}

#[test]
fn a_check_publishes_what_is_up_and_what_is_down() {
    let server = HttpServer::start(|request| match request.split(' ').nth(1) {
        Some("/health") => Reply::answer("200 OK", &[], "ok"),
        _ => Reply::answer("500 Internal Server Error", &[], "oh"),
    });
    let (host, task) = host_with("uptime-check", UPTIME_CHECK, &server);
    host.push("echo", ECHO);
    host.create(&json!({"id": "alarm", "type": "event", "onEvent": "uptime:down", "plugin": "echo"}));
    let execution = host.run_once(&task, &Value::Null);
    let output = &execution["output"];
    assert_eq!((&output["up"], &output["down"]), (&json!(1), &json!(1)), "{execution}");
    let alarm = host.ended("alarm", 1).remove(0);
    assert_eq!(alarm["output"]["data"]["status"], 500, "{alarm}");
    assert!(alarm["output"]["data"]["latencyMs"].is_u64(), "{alarm}");
}

#[test]
fn an_event_is_relayed_signed_and_again_when_the_receiver_is_busy() {
    let server =
        HttpServer::start(|_| Reply::answer("503 Service Unavailable", &["retry-after: 3600"], "busy"));
    let (host, task) = host_with("webhook-relay", WEBHOOK_RELAY, &server);
    let secret = json!({"value": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secret": true});
    assert_eq!(host.put_json("/v1/config/webhook-secret", &secret).status, 201);
    let grants = json!({"http": [server.url()], "config": ["webhook-secret"]});
    assert_eq!(host.put_json("/v1/plugins/webhook-relay/grants", &grants).status, 200);
    let execution = host.run_once(&task, &json!({"total": 3}));
    assert_eq!(execution["kind"], "handler_error", "{execution}");
    assert_eq!(
        host.get("/v1/stats").body["queuedRuns"],
        1,
        "it waits for the time that the receiver asked for"
    );
    let sent = server.requests().remove(0);
    let id = format!("webhook-id: {}\r\n", execution["runId"].as_str().expect("a run"));
    assert!(sent.contains(&id) && sent.contains("webhook-signature: v1,"), "{sent}");
    assert!(sent.contains(r#""data":{"total":3}}"#), "{sent}");
}

#[test]
fn a_plugin_that_makes_no_requests_does_not_import_them() {
    let host = TestHost::start();
    let imports = |pushed: Value| pushed["imports"].to_string();
    assert!(!imports(host.push("greeter", GREETER)).contains("wasi:http"));
    assert!(!imports(host.push("echo", ECHO)).contains("wasi:http"), "although its SDK could");
    assert!(imports(host.push("relay", WEBHOOK_RELAY)).contains("wasi:http/outgoing-handler"));
}

#[test]
fn components_stay_small() {
    for (component, bytes_max) in [(FAIL_PERMANENTLY, 50_000), (FETCH_SMALL, 120_000)] {
        let size = std::fs::metadata(component).expect("the component is there").len();
        assert!(size < bytes_max, "{component} has {size} bytes");
    }
}
