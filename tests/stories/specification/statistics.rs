//! The statistics, each number.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use super::{assert_has, wait};
use crate::components::{ECHO, SLEEP_FOREVER};

#[test]
fn each_number_counts_what_it_says() {
    let host = TestHost::start();
    let none = json!({
        "total": 0, "pending": 0, "running": 0, "paused": 0, "scheduledJobs": 0, "timeouts": 0, "subscribers": 0,
    });
    assert_has(&host.get("/v1/stats").body, &none);
    host.push("echo", ECHO);
    host.push("sleep", SLEEP_FOREVER);
    for (id, trigger, value, is_paused) in [
        ("preset", "preset", "@yearly", false),
        ("cron", "cron", "0 0 1 1 *", false),
        ("cron-paused", "cron", "0 0 1 1 *", true),
        ("at", "at", "2099-12-25T09:00:00", false),
        ("after", "after", "1d", false),
        ("after-too", "after", "2d", false),
        ("after-paused", "after", "1d", true),
    ] {
        let mut config = json!({"id": id, "type": "schedule", "plugin": "echo", "isPaused": is_paused});
        config[trigger] = value.into();
        host.create(&config);
    }
    for id in ["listens", "listens-too", "sleep"] {
        let plugin = if id == "sleep" { "sleep" } else { "echo" };
        host.create(&json!({"id": id, "type": "event", "onEvent": id, "plugin": plugin}));
    }
    host.create(
        &json!({"id": "deaf", "type": "event", "onEvent": "deaf", "plugin": "echo", "isPaused": true}),
    );
    host.publish("sleep", &Value::Null, 1);
    assert_eq!(host.running("sleep")["status"], "running");
    let expected = json!({
        "total": 11, "pending": 7, "running": 1, "paused": 3, "scheduledJobs": 2, "timeouts": 3, "subscribers": 4,
    });
    assert_has(&host.get("/v1/stats").body, &expected);
    assert_eq!(host.delete("/v1/tasks/sleep").status, 204, "so that the host need not wait for it");
    wait(&host, "sleep", 1);
    let after = json!({"total": 10, "pending": 7, "running": 0, "paused": 3, "subscribers": 3});
    assert_has(&host.get("/v1/stats").body, &after);
}
