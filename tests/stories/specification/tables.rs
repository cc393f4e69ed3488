//! The two tables, column by column, as anybody sees them who opens the file.

use innkeeper_tests::{TestHost, eventually};
use serde_json::{Value, json};

use super::{assert_has, row, utc, wait};
use crate::components::{ECHO, FAIL_PERMANENTLY, FAIL_UNTIL, SLEEP_FOREVER};

/// The columns of a table with their types, in order.
fn columns(host: &TestHost, table: &str) -> Vec<(String, String)> {
    let database = host.database();
    let mut statement = database.prepare("SELECT name, type FROM pragma_table_info(?1)").expect("a query");
    let columns = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    columns.collect::<Result<_, _>>().expect("columns")
}

#[test]
fn every_column_has_its_type() {
    let host = TestHost::start();
    let integers = ["attempts", "maxAttempts", "rateCount", "isPaused", "attempt"];
    for (table, names) in [
        (
            "tasks",
            "id name type preset cron at timezone nextRunAt lastRunAt attempts maxAttempts rateCount rateWindow \
             status isPaused metadata createdAt onEvent",
        ),
        ("task_executions", "id taskId status startedAt completedAt error attempt"),
    ] {
        let expected: Vec<_> = names
            .split(' ')
            .map(|name| (name, if integers.contains(&name) { "INTEGER" } else { "TEXT" }))
            .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
            .collect();
        assert_eq!(columns(&host, table)[..expected.len()], expected);
    }
}

#[test]
fn a_new_task_is_one_row() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.create(&json!({
        "id": "user:login:log", "name": "Log logins", "type": "event", "onEvent": "user:logged_in",
        "plugin": "echo", "timezone": "Europe/London", "retryPolicy": {"maxAttempts": 4},
        "metadata": {"level": 3, "tags": ["a"]}, "isPaused": true,
    }));
    let stored = row(&host, "tasks", "user:login:log");
    let expected = json!({
        "id": "user:login:log", "name": "Log logins", "type": "event", "preset": null, "cron": null, "at": null,
        "timezone": "Europe/London", "nextRunAt": null, "lastRunAt": null, "attempts": 0, "maxAttempts": 4,
        "rateCount": 0, "rateWindow": null, "status": "paused", "isPaused": 1, "onEvent": "user:logged_in",
    });
    assert_has(&stored, &expected);
    utc(&stored["createdAt"]);
    let metadata: Value = serde_json::from_str(stored["metadata"].as_str().expect("text")).expect("JSON");
    assert_eq!(metadata, json!({"level": 3, "tags": ["a"]}));
    let again = host.post(
        "/v1/tasks",
        &json!({"id": "user:login:log", "type": "event", "onEvent": "a", "plugin": "echo"}),
    );
    assert_eq!(again.status, 409, "the id is unique: {again:?}");
    assert_eq!(row(&host, "tasks", "user:login:log"), stored, "and the row is as it was");
    host.create(&json!({"id": "h", "type": "schedule", "preset": "@hourly", "plugin": "echo"}));
    let hourly = row(&host, "tasks", "h");
    assert_has(&hourly, &json!({"type": "schedule", "name": null, "status": "pending", "isPaused": 0}));
    assert_eq!(hourly["onEvent"], Value::Null);
    let ahead = utc(&hourly["nextRunAt"]) - utc(&hourly["createdAt"]);
    assert!((1..=3_600_000).contains(&ahead) && utc(&hourly["nextRunAt"]) % 3_600_000 == 0, "{hourly}");
}

#[test]
fn the_row_of_a_task_follows_its_executions() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.create(&json!({
        "id": "counts", "type": "event", "onEvent": "go", "plugin": "echo",
        "rateLimit": {"interval": "1d", "limit": 5},
    }));
    let mut first_started = Value::Null;
    for count in 1..=3 {
        host.publish("go", &json!(count), 1);
        let executions = host.ended("counts", count);
        let last = row(&host, "tasks", "counts");
        assert_eq!(last["lastRunAt"], executions[0]["startedAt"], "{last}");
        utc(&last["lastRunAt"]);
        if count == 1 {
            first_started = executions[0]["startedAt"].clone();
        }
        assert_has(&last, &json!({"rateCount": count, "rateWindow": first_started, "attempts": 0}));
    }
}

#[test]
fn a_status_is_pending_running_or_paused() {
    let host = TestHost::start();
    host.push("sleep", SLEEP_FOREVER);
    host.create(&json!({"id": "sleep", "type": "event", "onEvent": "go", "plugin": "sleep"}));
    assert_has(&row(&host, "tasks", "sleep"), &json!({"status": "pending", "isPaused": 0, "attempts": 0}));
    host.publish("go", &Value::Null, 1);
    let execution = host.running("sleep");
    assert_has(&row(&host, "tasks", "sleep"), &json!({"status": "running", "isPaused": 0, "attempts": 1}));
    let id = execution["id"].as_str().expect("an id");
    let stored = row(&host, "task_executions", id);
    let running =
        json!({"taskId": "sleep", "status": "running", "completedAt": null, "error": null, "attempt": 1});
    assert_has(&stored, &running);
    // It is recorded as running a moment before it can be stopped.
    eventually("the execution can be cancelled", || {
        let cancelled = host.post(&format!("/v1/executions/{id}/cancel"), &Value::Null);
        (cancelled.status == 202).then_some(())
    });
    wait(&host, "sleep", 1);
    assert_eq!(host.post("/v1/tasks/sleep/pause", &Value::Null).status, 200);
    assert_has(&row(&host, "tasks", "sleep"), &json!({"status": "paused", "isPaused": 1, "attempts": 0}));
    assert_eq!(host.post("/v1/tasks/sleep/resume", &Value::Null).status, 200);
    assert_has(&row(&host, "tasks", "sleep"), &json!({"status": "pending", "isPaused": 0}));
}

#[test]
fn every_attempt_is_a_row_of_the_audit_trail() {
    let host = TestHost::start();
    host.push("flaky", FAIL_UNTIL);
    host.create(&json!({
        "id": "flaky", "type": "event", "onEvent": "go", "plugin": "flaky", "retryPolicy": {"maxAttempts": 2},
    }));
    host.publish("go", &json!({"succeedAt": 2}), 1);
    let executions = host.ended("flaky", 2);
    let rows: Vec<Value> = executions
        .iter()
        .map(|execution| row(&host, "task_executions", execution["id"].as_str().expect("an id")))
        .collect();
    assert_has(&rows[1], &json!({"taskId": "flaky", "status": "failed", "attempt": 1}));
    assert_eq!(rows[1]["error"], "attempt 1 fails until 2");
    assert_has(&rows[0], &json!({"taskId": "flaky", "status": "success", "error": null, "attempt": 2}));
    assert_ne!(rows[0]["id"], rows[1]["id"]);
    for stored in &rows {
        assert!(utc(&stored["startedAt"]) <= utc(&stored["completedAt"]), "{stored}");
    }
    for (stored, shown) in rows.iter().zip(&executions) {
        for column in ["id", "taskId", "status", "startedAt", "completedAt", "error", "attempt"] {
            assert_eq!(stored[column], shown[column], "the same over HTTP");
        }
    }
}

#[test]
fn the_audit_trail_outlives_its_task() {
    let host = TestHost::start();
    host.push("fails", FAIL_PERMANENTLY);
    host.create(&json!({"id": "once", "type": "schedule", "after": "1ms", "plugin": "fails"}));
    let execution = host.ended("once", 1).remove(0);
    eventually("the one-off's row is gone", || row(&host, "tasks", "once").is_null().then_some(()));
    let stored = row(&host, "task_executions", execution["id"].as_str().expect("an id"));
    assert_has(&stored, &json!({"taskId": "once", "status": "failed", "attempt": 1}));
    assert!(stored["error"].as_str().is_some_and(|error| error.contains("never succeed")), "{stored}");
}
