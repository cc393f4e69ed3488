//! The specification's examples, on a real host: the handler is a plugin, and the one time that has passed since is put
//! into the future.

use innkeeper_tests::{TestHost, eventually};
use serde_json::{Value, json};

use super::{assert_has, row, wait};
use crate::components::ECHO;

fn create(host: &TestHost, mut config: Value) -> Value {
    config["plugin"] = "echo".into();
    host.create(&config)
}

#[test]
fn the_schedule_examples_are_taken_as_they_are() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let cleanup = create(
        &host,
        json!({
            "id": "cache:cleanup", "name": "Daily Cache Cleanup", "type": "schedule", "preset": "@daily",
            "timezone": "America/New_York",
            "retryPolicy": {"maxAttempts": 3, "delay": "1m", "backoff": "exponential", "maxRetryDuration": "10m"},
        }),
    );
    assert_has(&cleanup, &json!({"name": "Daily Cache Cleanup", "cron": "0 0 * * *", "maxAttempts": 3}));
    let midnight = cleanup["nextRunAt"].as_str().expect("a time");
    assert!(midnight.ends_with("T04:00:00.000Z") || midnight.ends_with("T05:00:00.000Z"), "{midnight}");
    let report = create(
        &host,
        json!({"id": "weekly:report", "type": "schedule", "cron": "0 9 * * 1", "timezone": "Europe/London"}),
    );
    let nine = report["nextRunAt"].as_str().expect("a time");
    assert!(nine.ends_with("T09:00:00.000Z") || nine.ends_with("T08:00:00.000Z"), "{nine}");
    let reminder = create(&host, json!({"id": "reminder:otp", "type": "schedule", "after": "5m"}));
    assert_has(&reminder, &json!({"after": "5m", "status": "pending", "timezone": "UTC"}));
    let launch = json!({
        "id": "campaign:launch", "type": "schedule", "at": "2099-12-25T09:00:00", "timezone": "America/Los_Angeles",
    });
    assert_eq!(create(&host, launch)["nextRunAt"], "2099-12-25T17:00:00.000Z");
}

#[test]
fn a_time_that_has_passed_runs_at_once_if_that_is_wanted() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let mut launch = json!({
        "id": "campaign:launch", "type": "schedule", "at": "2024-12-25T09:00:00", "timezone": "America/Los_Angeles",
        "plugin": "echo",
    });
    super::assert_refused(&host, &launch, &["at: past"]);
    launch["allowPast"] = true.into();
    host.create(&launch);
    let ran = host.ended("campaign:launch", 1).remove(0);
    assert_has(&ran, &json!({"status": "success", "scheduledAt": "2024-12-25T17:00:00.000Z"}));
    eventually("the clean-up", || row(&host, "tasks", "campaign:launch").is_null().then_some(()));
}

#[test]
fn the_event_examples_hear_their_events() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    create(
        &host,
        json!({
            "id": "user:login:log", "type": "event", "onEvent": "user:logged_in",
            "rateLimit": {"interval": "1m", "limit": 5, "strategy": "sliding"},
        }),
    );
    create(&host, json!({"id": "audit:all", "type": "event", "onEvent": "audit:*"}));
    host.publish("user:logged_in", &json!({"userId": "123"}), 1);
    host.publish("audit:file:read", &json!({"path": "/etc/hosts"}), 1);
    host.publish("audit", &Value::Null, 0);
    let login = host.ended("user:login:log", 1).remove(0);
    assert_has(&login["output"], &json!({"event": "user:logged_in", "data": {"userId": "123"}}));
    let audit = host.ended("audit:all", 1).remove(0);
    assert_has(&audit["output"], &json!({"event": "audit:file:read", "data": {"path": "/etc/hosts"}}));
}

#[test]
fn the_management_examples_do_what_they_say() {
    let mut host = TestHost::start();
    host.push("echo", ECHO);
    create(&host, json!({"id": "cache:cleanup", "type": "schedule", "preset": "@daily"}));
    assert_has(&host.get("/v1/stats").body, &json!({"total": 1, "running": 0}));
    let paused = host.post("/v1/tasks/cache:cleanup/pause", &Value::Null);
    assert_eq!(paused.body["isPaused"], true);
    let resumed = host.post("/v1/tasks/cache:cleanup/resume", &Value::Null);
    assert_eq!(resumed.body["isPaused"], false);
    let next = host.get("/v1/tasks/cache:cleanup/next-runs?count=1").body["items"][0].clone();
    assert!(next.as_str().is_some_and(|next| next.ends_with("T00:00:00.000Z")), "{next}");
    assert_eq!(host.post("/v1/tasks/cache:cleanup/run", &Value::Null).status, 202);
    wait(&host, "cache:cleanup", 1);
    assert_eq!(host.executions("cache:cleanup").len(), 1);
    host.signal("TERM");
    assert_eq!(host.exit_code(), Some(0), "it stops in order");
}
