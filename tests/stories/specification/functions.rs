//! Every function of the API has a route, and its answer is what the function returns.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use super::{utc, wait};
use crate::components::ECHO;

#[test]
fn the_functions_of_tasks_have_routes() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let created =
        host.create(&json!({"id": "daily", "type": "schedule", "preset": "@daily", "plugin": "echo"}));
    assert_eq!(created["id"], "daily");
    for (verb, status) in [("pause", "paused"), ("resume", "pending")] {
        let answer = host.post(&format!("/v1/tasks/daily/{verb}"), &Value::Null);
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!(status)));
        assert_eq!(host.post(&format!("/v1/tasks/nobody/{verb}"), &Value::Null).status, 404);
    }
    let found = host.get("/v1/tasks/daily");
    assert_eq!((found.status, &found.body["createdAt"]), (200, &created["createdAt"]));
    assert_eq!(host.get("/v1/tasks/nobody").status, 404);
    host.create(&json!({"id": "b", "type": "event", "onEvent": "b", "plugin": "echo", "isPaused": true}));
    let all = host.get("/v1/tasks").body["items"].as_array().map_or(0, Vec::len);
    assert_eq!(all, 2);
    let paused = host.get("/v1/tasks?status=paused").body["items"].clone();
    assert_eq!((paused.as_array().map_or(0, Vec::len), &paused[0]["id"]), (1, &json!("b")));
    assert_eq!(host.delete("/v1/tasks/b").status, 204);
    assert_eq!(host.delete("/v1/tasks/b").status, 404);
}

#[test]
fn the_functions_that_look_into_a_schedule_have_routes() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.create(&json!({"id": "daily", "type": "schedule", "preset": "@daily", "plugin": "echo"}));
    let shown = host.get("/v1/tasks/daily").body;
    let next = host.get("/v1/tasks/daily/next-runs?count=2").body;
    assert_eq!(next["items"][0], shown["nextRunAt"]);
    assert_eq!(utc(&next["items"][1]) - utc(&next["items"][0]), 86_400_000);
    assert_eq!(next["previousRunAt"], Value::Null, "not since it was created");
    host.create(&json!({"id": "often", "type": "schedule", "cron": "* * * * * *", "plugin": "echo"}));
    let ran = host.ended("often", 1).remove(0);
    let previous = host.get("/v1/tasks/often/next-runs").body["previousRunAt"].clone();
    assert!(utc(&previous) >= utc(&ran["scheduledAt"]), "{previous}");
    host.create(&json!({"id": "event", "type": "event", "onEvent": "a", "plugin": "echo"}));
    assert_eq!(host.get("/v1/tasks/event/next-runs").body["items"], json!([]));
    assert_eq!(host.get("/v1/tasks/nobody/next-runs").status, 404);
}

#[test]
fn the_functions_of_events_and_executions_have_routes() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.create(&json!({"id": "listener", "type": "event", "onEvent": "user:*", "plugin": "echo"}));
    assert_eq!(host.executions("listener"), Vec::<Value>::new());
    let without_data = host.post("/v1/events", &json!({"event": "user:left"}));
    assert_eq!((without_data.status, &without_data.body["runs"]), (202, &json!(1)));
    wait(&host, "listener", 1);
    host.publish("user:logged_in", &json!({"userId": "123"}), 1);
    let executions = host.ended("listener", 2);
    let heard: Vec<_> = executions.iter().map(|execution| execution["event"].clone()).collect();
    assert_eq!(heard, [json!("user:logged_in"), json!("user:left")], "the newest first");
    assert_eq!(executions[1]["output"]["data"], Value::Null);
    assert_eq!(host.get("/v1/tasks/nobody/executions").status, 404);
    assert_eq!(host.get("/v1/stats").status, 200);
}
