//! The main job: an uploaded handler runs on a schedule and on an event.

use innkeeper_tests::{TestHost, eventually};
use serde_json::{Value, json};

use crate::components::{ECHO, GREETER, PRINT};

#[test]
fn a_plugin_runs_on_a_schedule_once_after_a_delay_and_on_an_event() {
    let host = TestHost::start();
    host.push("greeter", GREETER);
    let metadata = json!({"greeting": "Good day"});
    host.create(&json!({"id": "tick", "type": "schedule", "cron": "*/2 * * * * *", "plugin": "greeter"}));
    host.create(&json!({
        "id": "once", "type": "schedule", "after": "1s", "plugin": "greeter", "metadata": metadata,
    }));
    host.create(&json!({"id": "welcome", "type": "event", "onEvent": "user:*", "plugin": "greeter"}));
    host.publish("user:logged_in", &json!({"userId": "123", "name": "Ada"}), 1);

    let welcomed = host.ended("welcome", 1);
    assert_eq!(welcomed.len(), 1);
    assert_eq!(welcomed[0]["status"], "success", "{welcomed:?}");
    assert_eq!(welcomed[0]["event"], "user:logged_in");
    assert_eq!(welcomed[0]["trigger"], "event");
    assert_eq!(welcomed[0]["output"], json!({"message": "Hello, Ada!", "userId": "123"}));
    let logs = host.get(&format!("/v1/executions/{}/logs", welcomed[0]["id"].as_str().expect("an id")));
    assert_eq!(logs.body["items"][0]["message"], "greeter: Hello, Ada! (user:logged_in)", "{logs:?}");

    let once = host.ended("once", 1);
    assert_eq!(once[0]["status"], "success", "{once:?}");
    eventually("the one-off's clean-up", || (host.get("/v1/tasks/once").status == 404).then_some(()));
    assert_eq!(host.executions("once").len(), 1, "the audit trail outlives the task");

    let ticks = host.ended("tick", 2);
    let due: Vec<&Value> = ticks.iter().map(|tick| &tick["scheduledAt"]).collect();
    assert!(
        due.windows(2).all(|pair| pair[0].as_str() > pair[1].as_str()),
        "one execution per due time: {due:?}"
    );
    assert!(due.iter().all(|at| at.as_str().is_some_and(|at| at.ends_with("000Z"))), "{due:?}");
}

#[test]
fn a_handler_is_told_what_it_runs_for() {
    let host = TestHost::start();
    let pushed = host.push("echo", ECHO);
    let task =
        json!({"id": "echo", "plugin": "echo", "metadata": {"a": [1, 2]}, "retryPolicy": {"maxAttempts": 3}});
    let execution = host.run_once(&task, &json!({"b": null}));
    let output = &execution["output"];
    assert_eq!(output["event"], "echo", "{execution}");
    assert_eq!(output["data"], json!({"b": null}));
    assert_eq!(output["metadata"], json!({"a": [1, 2]}));
    assert_eq!((&output["attempt"], &output["maxAttempts"]), (&json!(1), &json!(3)));
    assert_eq!(output["runId"], execution["runId"]);
    assert_eq!(output["executionId"], execution["id"]);
    assert_eq!(output["taskId"], "echo");
    assert_eq!(output["scheduledAt"], Value::Null);
    assert_eq!(output["startedAt"], execution["startedAt"]);
    assert_eq!(output["pluginDigest"], pushed["digest"]);
    assert_eq!(execution["pluginDigest"], pushed["digest"]);
    let receipt = &execution["receipt"];
    for used in ["fuel", "wallUs", "memoryBytesPeak", "hostCalls"] {
        assert!(receipt[used].as_u64().is_some_and(|used| used > 0), "{used} in {receipt}");
    }
}

#[test]
fn a_manual_start_hands_over_its_event_and_data() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.create(&json!({"id": "yearly", "type": "schedule", "preset": "@yearly", "plugin": "echo"}));
    let started = host.post("/v1/tasks/yearly/run", &json!({"event": "try:it", "data": [1]}));
    assert_eq!(started.status, 202, "{started:?}");
    let executions = host.ended("yearly", 1);
    assert_eq!(executions[0]["runId"], started.body["runId"]);
    assert_eq!(executions[0]["trigger"], "manual");
    assert_eq!(executions[0]["output"]["event"], "try:it");
    assert_eq!(executions[0]["output"]["data"], json!([1]));
    assert_eq!(host.get("/v1/tasks/yearly").status, 200, "a repeating task stays");
}

#[test]
fn a_paused_task_does_not_run_until_it_is_resumed() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.create(&json!({"id": "hook", "type": "event", "onEvent": "a", "plugin": "echo"}));
    let paused = host.post("/v1/tasks/hook/pause", &Value::Null);
    assert_eq!((paused.status, &paused.body["status"]), (200, &json!("paused")), "{paused:?}");
    host.publish("a", &json!(1), 0);
    let skips = host.get("/v1/tasks/hook/skips");
    assert_eq!(
        (&skips.body["items"][0]["reason"], &skips.body["items"][0]["count"]),
        (&json!("paused"), &json!(1))
    );
    assert_eq!(host.get("/v1/stats").body["paused"], 1);
    let resumed = host.post("/v1/tasks/hook/resume", &Value::Null);
    assert_eq!((resumed.status, &resumed.body["isPaused"]), (200, &json!(false)), "{resumed:?}");
    host.publish("a", &json!(2), 1);
    let executions = host.ended("hook", 1);
    assert_eq!(executions.len(), 1);
    assert_eq!(executions[0]["output"]["data"], 2);
}

#[test]
fn what_a_handler_prints_and_logs_is_kept_in_order() {
    let host = TestHost::start();
    host.push("print", PRINT);
    let execution = host.run_once(&json!({"id": "print", "plugin": "print"}), &Value::Null);
    let logs = host.get(&format!("/v1/executions/{}/logs", execution["id"].as_str().expect("an id")));
    let levels: Vec<&str> = logs.body["items"]
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|line| line["level"].as_str())
        .collect();
    for level in ["trace", "debug", "info", "warn", "error"] {
        assert!(levels.contains(&level), "{level} in {logs:?}");
    }
}
