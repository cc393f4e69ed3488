//! The features at run time that no other story tells.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use super::{assert_has, control, row, utc, wait};
use crate::components::{ECHO, SLEEP_FOREVER};

fn ids(host: &TestHost, query: &str) -> Vec<String> {
    let answer = host.get(&format!("/v1/tasks{query}"));
    let items = answer.body["items"].as_array().expect("items");
    items.iter().filter_map(|task| task["id"].as_str().map(str::to_owned)).collect()
}

#[test]
fn pausing_stops_a_schedule_and_resuming_starts_it() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.create(&json!({"id": "hourly", "type": "schedule", "preset": "@hourly", "plugin": "echo"}));
    assert_eq!(host.get("/v1/stats").body["scheduledJobs"], 1);
    control(&host, "/v1/tasks/hourly/pause");
    assert_has(
        &row(&host, "tasks", "hourly"),
        &json!({"status": "paused", "isPaused": 1, "nextRunAt": null}),
    );
    assert_eq!(host.get("/v1/stats").body["scheduledJobs"], 0);
    assert_eq!(host.get("/v1/tasks/hourly/next-runs").body["items"], json!([]));
    control(&host, "/v1/tasks/hourly/resume");
    let resumed = row(&host, "tasks", "hourly");
    assert_has(&resumed, &json!({"status": "pending", "isPaused": 0}));
    assert_eq!(utc(&resumed["nextRunAt"]) % 3_600_000, 0);
    assert_eq!(host.get("/v1/stats").body["scheduledJobs"], 1);
}

#[test]
fn deleting_stops_a_schedule_and_takes_its_row() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.create(&json!({"id": "often", "type": "schedule", "cron": "* * * * * *", "plugin": "echo"}));
    host.create(&json!({"id": "control", "type": "schedule", "cron": "* * * * * *", "plugin": "echo"}));
    wait(&host, "often", 1);
    assert_eq!(host.delete("/v1/tasks/often").status, 204);
    assert_eq!(row(&host, "tasks", "often"), Value::Null);
    let ran = host.executions("often").len();
    let others = host.ended("control", 1).len();
    wait(&host, "control", others + 2);
    assert_eq!(host.executions("often").len(), ran, "it ran no more, but its trail stays");
    assert_eq!(host.delete("/v1/tasks/often").status, 404);
}

#[test]
fn tasks_are_found_by_status() {
    let host = TestHost::start();
    host.push("sleep", SLEEP_FOREVER);
    for id in ["paused", "pending", "running"] {
        host.create(&json!({"id": id, "type": "event", "onEvent": id, "plugin": "sleep"}));
    }
    control(&host, "/v1/tasks/paused/pause");
    host.publish("running", &Value::Null, 1);
    assert_eq!(host.running("running")["status"], "running");
    for status in ["pending", "running", "paused"] {
        assert_eq!(ids(&host, &format!("?status={status}")), [status]);
    }
    assert_eq!(ids(&host, ""), ["paused", "pending", "running"]);
    assert_eq!(host.delete("/v1/tasks/running").status, 204, "so that the host need not wait for it");
    wait(&host, "running", 1);
}

#[test]
fn the_state_of_every_task_survives_a_restart() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    for (id, trigger, value) in [
        ("event", "onEvent", "a"),
        ("preset", "preset", "@yearly"),
        ("cron", "cron", "0 9 25 12 *"),
        ("at", "at", "2099-12-25T09:00:00"),
        ("after", "after", "1d"),
        ("paused", "cron", "0 0 1 1 *"),
    ] {
        let task_type = if trigger == "onEvent" { "event" } else { "schedule" };
        let mut config = json!({"id": id, "type": task_type, "plugin": "echo", "timezone": "Asia/Tokyo"});
        config[trigger] = value.into();
        host.create(&config);
    }
    control(&host, "/v1/tasks/paused/pause");
    host.publish("a", &json!(1), 1);
    wait(&host, "event", 1);
    let (tasks, executions) = (host.get("/v1/tasks").body, host.executions("event"));
    let counts = |host: &TestHost| {
        let mut stats = host.get("/v1/stats").body;
        // How large the files are is no state of a task.
        stats.as_object_mut().expect("an object").remove("database");
        stats
    };
    let stats = counts(&host);
    let host = TestHost::start_in(host.stop());
    assert_eq!(host.get("/v1/tasks").body, tasks);
    assert_eq!(host.executions("event"), executions);
    assert_eq!(counts(&host), stats);
    host.publish("a", &json!(2), 1);
    assert_eq!(host.ended("event", 2).len(), 2, "it listens again");
}

#[test]
fn the_host_logs_what_it_does() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.create(&json!({"id": "logged", "type": "event", "onEvent": "a", "plugin": "echo"}));
    host.publish("a", &Value::Null, 1);
    let execution = host.ended("logged", 1).remove(0);
    control(&host, "/v1/tasks/logged/pause");
    assert_eq!(host.delete("/v1/tasks/logged").status, 204);
    let directory = host.stop();
    let log = std::fs::read_to_string(directory.path().join("host.log")).expect("a log");
    let id = execution["id"].as_str().expect("an id");
    for (what, of) in [
        ("host.listening", "http://"),
        ("task.changed", "Created"),
        ("task.changed", "Paused"),
        ("task.changed", "Deleted"),
        ("event.published", "event=a"),
        ("run.executed", id),
        ("runner.stopped", ""),
    ] {
        let found = log.lines().any(|line| line.contains(what) && line.contains(of));
        assert!(found, "`{what}` with `{of}` in:\n{log}");
    }
}
