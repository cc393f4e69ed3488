//! What somebody cancels ends at once, whatever it is doing.

use innkeeper_tests::{HttpServer, Reply, TestHost};
use serde_json::{Value, json};

use crate::components::{FETCH, SLEEP_FOREVER, SPIN_FOREVER};
use crate::egress::{ALLOW_LOOPBACK, grant};

/// Longer than any story waits for anything: who is not interrupted is not seen to end.
const LIMITS: [(&str, &str); 2] =
    [("INNKEEPER_LIMITS_TIMEOUT", "10m"), ("INNKEEPER_LIMITS_FUEL", "18446744073709551615")];

/// Cancels the running execution of a task, and expects that it ends for that.
fn cancel(host: &TestHost, task: &str) {
    let running = host.running(task);
    let id = running["id"].as_str().expect("an id");
    let accepted = host.post(&format!("/v1/executions/{id}/cancel"), &json!({}));
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let ended = host.ended(task, 1).remove(0);
    assert_eq!((&ended["id"], &ended["kind"]), (&running["id"], &json!("cancelled")), "{ended}");
    assert_eq!(ended["final"], true, "its run ends with it");
    let again = host.post(&format!("/v1/executions/{id}/cancel"), &json!({}));
    assert_eq!((again.status, &again.body["code"]), (409, &json!("not_running")));
}

fn start(host: &TestHost, task: &str, data: &Value) {
    host.create(&json!({"id": task, "type": "event", "onEvent": task, "plugin": task}));
    host.publish(task, data, 1);
}

#[test]
fn a_guest_that_computes_or_sleeps_is_cancelled_without_waiting_for_its_timeout() {
    let host = TestHost::start_with_variables(&[], &LIMITS);
    for (task, component) in [("spin", SPIN_FOREVER), ("sleep", SLEEP_FOREVER)] {
        host.push(task, component);
        start(&host, task, &Value::Null);
        cancel(&host, task);
    }
}

#[test]
fn a_guest_that_waits_for_an_answer_is_cancelled_without_waiting_for_it() {
    let host = TestHost::start_with_variables(&ALLOW_LOOPBACK, &LIMITS);
    let server =
        HttpServer::start(|_| Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe".to_vec()));
    host.push("fetch", FETCH);
    grant(&host, "fetch", &[&server.url()]);
    start(&host, "fetch", &json!({"requests": [{"url": server.url(), "timeoutMs": 600_000}]}));
    innkeeper_tests::eventually("the request", || (!server.requests().is_empty()).then_some(()));
    cancel(&host, "fetch");
}
