//! Times: zones by their IANA name, what the database keeps of them, durations.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use super::server::Server;
use super::{assert_has, assert_refused, row, utc};
use crate::components::ECHO;

#[test]
fn a_schedule_goes_by_the_clock_of_its_zone() {
    let host = TestHost::start();
    for (schedule, from, due) in [
        (
            json!({"preset": "@daily", "timezone": "America/New_York"}),
            "2024-12-20",
            "2024-12-20T05:00:00.000Z",
        ),
        (
            json!({"preset": "@daily", "timezone": "America/New_York"}),
            "2024-07-20",
            "2024-07-20T04:00:00.000Z",
        ),
        (json!({"preset": "@daily", "timezone": "Asia/Tokyo"}), "2024-12-20", "2024-12-20T15:00:00.000Z"),
        (json!({"cron": "0 9 * * 1", "timezone": "Europe/London"}), "2024-12-20", "2024-12-23T09:00:00.000Z"),
        (json!({"cron": "0 9 * * 1", "timezone": "Europe/London"}), "2024-07-20", "2024-07-22T08:00:00.000Z"),
        (
            json!({"cron": "0 9 * * 1", "timezone": "America/New_York"}),
            "2024-12-20",
            "2024-12-23T14:00:00.000Z",
        ),
        (
            json!({"at": "2024-12-25T09:00:00", "timezone": "America/New_York"}),
            "2024-12-20",
            "2024-12-25T14:00:00.000Z",
        ),
        (
            json!({"at": "2024-12-25T09:00:00", "timezone": "America/Los_Angeles"}),
            "2024-12-20",
            "2024-12-25T17:00:00.000Z",
        ),
        (json!({"after": "5m"}), "2024-12-20", "2024-12-20T00:05:00.000Z"),
        (json!({"cron": "0 9 * * 1"}), "2024-12-20", "2024-12-23T09:00:00.000Z"),
    ] {
        let mut preview = schedule.clone();
        preview["from"] = format!("{from}T00:00:00Z").into();
        preview["count"] = 1.into();
        let answer = host.post("/v1/schedules/preview", &preview);
        assert_eq!(answer.body["next"], json!([due]), "{preview}: {answer:?}");
    }
}

#[test]
fn where_the_server_is_does_not_matter_but_its_setting_does() {
    let daily = json!({"preset": "@daily", "from": "2024-12-20T12:00:00Z", "count": 1});
    let london = json!({
        "preset": "@daily", "timezone": "Europe/London", "from": "2024-12-20T12:00:00Z", "count": 1,
    });
    let in_tokyo = Server::start(&[], "Asia/Tokyo");
    assert_eq!(in_tokyo.next(&daily), json!(["2024-12-21T00:00:00.000Z"]), "UTC unless configured");
    assert_eq!(in_tokyo.next(&london), json!(["2024-12-21T00:00:00.000Z"]));
    let set = Server::start(&["--timezone", "America/New_York"], "Asia/Tokyo");
    assert_eq!(set.next(&daily), json!(["2024-12-21T05:00:00.000Z"]), "the default of the configuration");
    assert_eq!(set.next(&london), json!(["2024-12-21T00:00:00.000Z"]), "the task's own zone wins");
}

#[test]
fn a_zone_that_does_not_exist_is_refused_at_once() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    for zone in ["America/Atlantis", "New York", "GMT-5", "+02:00", "PST", "local", ""] {
        for trigger in ["preset", "cron", "at", "after"] {
            let value = match trigger {
                "preset" => "@daily",
                "cron" => "0 9 * * 1",
                "at" => "2099-12-25T09:00:00",
                _ => "5m",
            };
            let mut config = json!({"id": "a", "type": "schedule", "timezone": zone, "plugin": "echo"});
            config[trigger] = value.into();
            assert_refused(&host, &config, &["timezone: unknown_timezone"]);
        }
    }
}

#[test]
fn the_row_keeps_the_times_as_written_and_the_next_one_in_utc() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    for (trigger, zone, kept, next_ends) in [
        (
            json!({"at": "2099-12-25T09:00:00"}),
            "America/Los_Angeles",
            json!({"at": "2099-12-25T09:00:00", "cron": null, "preset": null}),
            "2099-12-25T17:00:00.000Z",
        ),
        (
            json!({"cron": "0 9 25 12 *"}),
            "America/New_York",
            json!({"at": null, "cron": "0 9 25 12 *", "preset": null}),
            "-12-25T14:00:00.000Z",
        ),
        (
            json!({"preset": "@yearly"}),
            "Asia/Tokyo",
            json!({"at": null, "cron": "0 0 1 1 *", "preset": "@yearly"}),
            "-12-31T15:00:00.000Z",
        ),
    ] {
        let mut config = trigger;
        config["id"] = "task".into();
        config["type"] = "schedule".into();
        config["timezone"] = zone.into();
        config["plugin"] = "echo".into();
        host.create(&config);
        let stored = row(&host, "tasks", "task");
        assert_has(&stored, &kept);
        assert_eq!(stored["timezone"], zone);
        utc(&stored["nextRunAt"]);
        assert!(stored["nextRunAt"].as_str().is_some_and(|next| next.ends_with(next_ends)), "{stored}");
        assert_has(&host.get("/v1/tasks/task").body, &kept);
        assert_eq!(host.get("/v1/tasks/task/next-runs?count=1").body["items"], json!([stored["nextRunAt"]]));
        assert_eq!(host.delete("/v1/tasks/task").status, 204);
    }
}

#[test]
fn a_duration_has_a_unit_from_milliseconds_to_days() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    for (after, millis) in [
        ("500ms", 500),
        ("30s", 30_000),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("1d", 86_400_000),
        ("in 5m", 300_000),
        ("in 1 day", 86_400_000),
        ("in 30 minutes", 1_800_000),
    ] {
        // Paused, so that the shortest is still there to be looked at.
        host.create(&json!({
            "id": "later", "type": "schedule", "after": after, "plugin": "echo", "isPaused": true,
        }));
        let stored = row(&host, "tasks", "later");
        assert_eq!(utc(&stored["nextRunAt"]) - utc(&stored["createdAt"]), millis, "{after}");
        assert_eq!(host.delete("/v1/tasks/later").status, 204);
    }
    for wrong in ["", "5", "5 weeks", "-5m", "1.5h", "soon"] {
        let config = json!({"id": "a", "type": "schedule", "after": wrong, "plugin": "echo"});
        assert_refused(&host, &config, &["after: invalid_duration"]);
    }
}

#[test]
fn a_pattern_that_is_wrong_is_refused_at_once() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    for wrong in ["", "* * * *", "60 * * * *", "0 25 * * *", "0 0 30 2 *", "every monday", "0 0 * * 8"] {
        let config = json!({"id": "a", "type": "schedule", "cron": wrong, "plugin": "echo"});
        assert_refused(&host, &config, &["cron: invalid_cron"]);
    }
    for wrong in ["tomorrow", "2099-02-30T09:00:00", "2099-12-25", "2099-12-25T25:00:00"] {
        let config = json!({"id": "a", "type": "schedule", "at": wrong, "plugin": "echo"});
        assert_refused(&host, &config, &["at: invalid_timestamp"]);
    }
    assert_eq!(host.get("/v1/stats").body["total"], Value::from(0));
}
