//! What a handler asks for happens if and only if its execution succeeds.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use crate::components::{ECHO, PUBLISH, PUBLISH_THEN_FAIL};

fn events_named(host: &TestHost, name: &str) -> i64 {
    let sql = "SELECT count(*) FROM events WHERE event = ?1";
    host.database().query_row(sql, [name], |row| row.get(0)).expect("a valid query")
}

#[test]
fn an_event_that_a_handler_publishes_runs_the_tasks_that_listen() {
    let host = TestHost::start();
    host.push("publish", PUBLISH);
    host.push("echo", ECHO);
    host.create(&json!({"id": "listener", "type": "event", "onEvent": "order:*", "plugin": "echo"}));
    let wishes =
        json!([{"event": "order:paid", "data": {"total": 7}}, {"event": "nobody:listens", "data": null}]);
    let execution = host.run_once(&json!({"id": "shop", "plugin": "publish"}), &wishes);
    assert_eq!(execution["output"], json!([null, null]), "{execution}");
    let heard = host.ended("listener", 1);
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0]["output"]["event"], "order:paid");
    assert_eq!(heard[0]["output"]["data"], json!({"total": 7}));
    assert_eq!(events_named(&host, "nobody:listens"), 1);
}

#[test]
fn a_handler_that_publishes_and_then_fails_publishes_nothing() {
    let host = TestHost::start();
    host.push("publish-then-fail", PUBLISH_THEN_FAIL);
    host.push("echo", ECHO);
    host.create(
        &json!({"id": "listener", "type": "event", "onEvent": "should:never-exist", "plugin": "echo"}),
    );
    let task = json!({"id": "shop", "plugin": "publish-then-fail", "retryPolicy": {"maxAttempts": 2}});
    let mut config = task;
    config["type"] = "event".into();
    config["onEvent"] = "go".into();
    host.create(&config);
    host.publish("go", &Value::Null, 1);
    let attempts = host.ended("shop", 2);
    assert!(attempts.iter().all(|attempt| attempt["kind"] == "handler_error"), "{attempts:?}");
    assert_eq!(events_named(&host, "should:never-exist"), 0);
    assert!(host.executions("listener").is_empty());
}

#[test]
fn an_event_with_a_bad_name_or_too_many_events_are_refused_to_the_guest() {
    let host = TestHost::start();
    host.push("publish", PUBLISH);
    let mut wishes = vec![json!({"event": "with space"}), json!({"event": "a*"})];
    wishes.extend((0..101).map(|number| json!({"event": format!("n:{number}")})));
    let execution = host.run_once(&json!({"id": "flood", "plugin": "publish"}), &Value::Array(wishes));
    let answers = execution["output"].as_array().expect("answers");
    assert!(answers[0].is_string() && answers[1].is_string(), "{answers:?}");
    assert_eq!(answers[2..102].iter().filter(|answer| answer.is_null()).count(), 100);
    assert!(answers[102].is_string(), "{answers:?}");
    let events: i64 = host
        .database()
        .query_row("SELECT count(*) FROM events WHERE event LIKE 'n:%'", [], |row| row.get(0))
        .expect("a valid query");
    assert_eq!(events, 100);
}
