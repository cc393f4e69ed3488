//! A task's definition: every field, its default, and what it refuses.

use innkeeper_tests::{TestHost, eventually};
use serde_json::{Value, json};

use super::{assert_has, assert_refused, row, wait};
use crate::components::{ECHO, FAIL_UNTIL};

#[test]
fn a_task_with_the_least_fields_has_the_defaults() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let created = host.create(&json!({"id": "least", "type": "event", "onEvent": "a", "plugin": "echo"}));
    let defaults = json!({
        "name": null, "preset": null, "cron": null, "at": null, "after": null, "timezone": "UTC",
        "isPaused": false, "status": "pending", "metadata": null, "maxAttempts": 1, "rateLimit": null,
    });
    assert_has(&created, &defaults);
    host.create(&json!({
        "id": "policies", "type": "event", "onEvent": "a", "plugin": "echo",
        "retryPolicy": {"maxAttempts": 3}, "rateLimit": {"interval": "1m", "limit": 5},
    }));
    let shown = host.get("/v1/tasks/policies").body;
    assert_has(&shown["retryPolicy"], &json!({"maxAttempts": 3, "delay": "0s", "backoff": "fixed"}));
    assert_eq!(shown["retryPolicy"]["maxRetryDuration"], Value::Null, "no bound");
    assert_has(&shown["rateLimit"], &json!({"interval": "1m", "limit": 5, "strategy": "fixed"}));
}

#[test]
fn every_field_of_a_definition_is_kept() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let policies = json!({
        "id": "all", "name": "All of it", "timezone": "Europe/London", "plugin": "echo", "isPaused": true,
        "retryPolicy": {"maxAttempts": 3, "delay": "30s", "backoff": "exponential", "maxRetryDuration": "5m"},
        "rateLimit": {"interval": "1m", "limit": 5, "strategy": "sliding"},
        "metadata": {"text": "é", "number": 1.5, "list": [1, null, true], "nested": {"a": {}}},
    });
    for (field, value, task_type) in [
        ("preset", "@weekly", "schedule"),
        ("cron", "0 0 * * 1", "schedule"),
        ("at", "2099-12-25T09:00:00", "schedule"),
        ("after", "1d", "schedule"),
        ("onEvent", "user:logged_in", "event"),
    ] {
        let mut config = policies.clone();
        config["type"] = task_type.into();
        config[field] = value.into();
        host.create(&config);
        let mut shown = host.get("/v1/tasks/all").body;
        for policy in ["retryPolicy", "rateLimit"] {
            // What is ours beyond the specification's fields.
            for more in ["jitter", "overflow"] {
                shown[policy].as_object_mut().expect("a policy").remove(more);
            }
        }
        assert_has(&shown, &config);
        assert_eq!(host.delete("/v1/tasks/all").status, 204);
    }
}

#[test]
fn what_a_field_cannot_be_is_refused() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    for missing in ["id", "type", "plugin"] {
        let mut config = json!({"id": "a", "type": "event", "onEvent": "a", "plugin": "echo"});
        config.as_object_mut().expect("an object").remove(missing);
        assert_refused(&host, &config, &[&format!("{missing}: missing")]);
    }
    for (field, value, expected) in [
        ("type", json!("cron"), &["type: unknown_type"][..]),
        ("type", json!("schedule"), &["type: type_mismatch"]),
        ("name", json!(5), &["name: wrong_type"]),
        ("isPaused", json!("no"), &["isPaused: wrong_type"]),
        ("metadata", json!([1]), &["metadata: wrong_type"]),
        ("onEvent", json!("with space"), &["onEvent: invalid_pattern"]),
        ("plugin", json!("nobody"), &["plugin: unknown_plugin"]),
        ("retryPolicy", json!({}), &["retryPolicy.maxAttempts: missing"]),
        ("retryPolicy", json!({"maxAttempts": 0}), &["retryPolicy.maxAttempts: out_of_range"]),
        ("retryPolicy", json!({"maxAttempts": 2, "delay": "x"}), &["retryPolicy.delay: invalid_duration"]),
        ("retryPolicy", json!({"maxAttempts": 2, "backoff": "no"}), &["retryPolicy.backoff: unknown_value"]),
        ("rateLimit", json!({}), &["rateLimit.interval: missing", "rateLimit.limit: missing"]),
        ("rateLimit", json!({"interval": "0s", "limit": 1}), &["rateLimit.interval: out_of_range"]),
        ("rateLimit", json!({"interval": "1m", "limit": 0}), &["rateLimit.limit: out_of_range"]),
        (
            "rateLimit",
            json!({"interval": "1m", "limit": 1, "strategy": "leaky"}),
            &["rateLimit.strategy: unknown_value"],
        ),
    ] {
        let mut config = json!({"id": "a", "type": "event", "onEvent": "a", "plugin": "echo"});
        config[field] = value;
        assert_refused(&host, &config, expected);
    }
}

#[test]
fn a_handler_of_an_event_gets_name_and_data_and_one_of_a_schedule_neither() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let data = json!({"userId": "123", "list": [1, {"deep": null}]});
    host.create(&json!({"id": "login", "type": "event", "onEvent": "user:*", "plugin": "echo"}));
    host.publish("user:logged_in", &data, 1);
    let heard = host.ended("login", 1).remove(0);
    assert_has(&heard["output"], &json!({"event": "user:logged_in", "data": data}));
    host.create(&json!({"id": "once", "type": "schedule", "after": "1ms", "plugin": "echo"}));
    let ran = host.ended("once", 1).remove(0);
    assert_has(&ran["output"], &json!({"event": null, "data": null}));
    assert_eq!(ran["status"], "success");
}

#[test]
fn a_retry_that_waits_is_in_the_row_of_the_task() {
    let host = TestHost::start();
    host.push("flaky", FAIL_UNTIL);
    host.create(&json!({
        "id": "flaky", "type": "event", "onEvent": "go", "plugin": "flaky",
        "retryPolicy": {"maxAttempts": 3, "delay": "1h"},
    }));
    assert_has(&row(&host, "tasks", "flaky"), &json!({"attempts": 0, "maxAttempts": 3}));
    host.publish("go", &json!({"succeedAt": 2}), 1);
    wait(&host, "flaky", 1);
    eventually("the task waits for its retry", || {
        let task = row(&host, "tasks", "flaky");
        (task["attempts"] == 1 && task["status"] == "pending").then_some(())
    });
    let waits = host.get("/v1/tasks/flaky").body["waitingFor"].clone();
    assert!(waits.as_str().is_some_and(|text| text.contains("attempt 2 of 3")), "{waits}");
}
