//! The presets: their names, descriptions and patterns, kept by the host.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use super::{assert_has, row};
use crate::components::ECHO;

/// Name, description, pattern, and when it is due next after 2025-03-05T10:30:00Z, a Wednesday.
const PRESETS: [(&str, &str, &str, &str); 6] = [
    ("@midnight", "Every day at midnight (00:00)", "0 0 * * *", "2025-03-06T00:00:00.000Z"),
    ("@daily", "Every day at midnight (00:00)", "0 0 * * *", "2025-03-06T00:00:00.000Z"),
    ("@hourly", "Every hour at minute 0", "0 * * * *", "2025-03-05T11:00:00.000Z"),
    ("@weekly", "Every Sunday at midnight", "0 0 * * 0", "2025-03-09T00:00:00.000Z"),
    ("@monthly", "First day of every month at midnight", "0 0 1 * *", "2025-04-01T00:00:00.000Z"),
    ("@yearly", "January 1st at midnight", "0 0 1 1 *", "2026-01-01T00:00:00.000Z"),
];

#[test]
fn each_preset_has_its_description_and_pattern() {
    let host = TestHost::start();
    let listed = host.get("/v1/presets").body["items"].clone();
    let mut expected = PRESETS
        .map(|(name, description, cron, _)| json!({"name": name, "description": description, "cron": cron}));
    expected.sort_by_key(|preset| preset["name"].to_string());
    assert_eq!(listed, json!(expected));
    let stored: i64 = host
        .database()
        .query_row("SELECT count(*) FROM presets", [], |row| row.get(0))
        .expect("the presets are a table");
    assert_eq!(stored, 6);
}

#[test]
fn each_preset_is_due_when_its_description_says() {
    let host = TestHost::start();
    for (name, _, _, due) in PRESETS {
        let preview = json!({"preset": name, "from": "2025-03-05T10:30:00Z", "count": 1});
        assert_eq!(host.post("/v1/schedules/preview", &preview).body["next"], json!([due]), "{name}");
    }
}

#[test]
fn a_task_keeps_the_name_of_its_preset_and_the_pattern() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    for (number, (name, _, cron, _)) in PRESETS.into_iter().enumerate() {
        let id = format!("task-{number}");
        host.create(&json!({"id": id, "type": "schedule", "preset": name, "plugin": "echo"}));
        let kept =
            json!({"type": "schedule", "preset": name, "cron": cron, "at": null, "onEvent": Value::Null});
        assert_has(&row(&host, "tasks", &id), &kept);
    }
    let refused = json!({"id": "a", "type": "schedule", "preset": "@fortnightly", "plugin": "echo"});
    let answer = host.post("/v1/tasks", &refused);
    assert_eq!((answer.status, &answer.body["errors"][0]["code"]), (422, &json!("unknown_preset")));
}
