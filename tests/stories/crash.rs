//! A host that dies without a word loses nothing that it acknowledged.

use innkeeper_tests::TestHost;
use serde_json::json;

use crate::components::{ECHO, SLEEP_THEN_SUCCEED};

#[test]
fn a_killed_host_runs_again_what_it_was_running_and_keeps_every_event() {
    let host = TestHost::start();
    host.push("slow", SLEEP_THEN_SUCCEED);
    host.push("echo", ECHO);
    host.create(&json!({"id": "slow", "type": "event", "onEvent": "go", "plugin": "slow"}));
    host.create(&json!({"id": "after", "type": "event", "onEvent": "slept", "plugin": "echo"}));
    host.create(&json!({"id": "held", "type": "event", "onEvent": "held", "plugin": "echo"}));
    host.publish("go", &json!({"ms": 1500}), 1);
    let first = host.running("slow");
    assert_eq!(host.post("/v1/tasks/held/pause", &json!(null)).status, 200);
    for number in 0..50 {
        host.publish("other", &json!(number), 0);
    }

    let host = TestHost::start_in(host.kill());
    let executions = host.ended("slow", 2);
    let (second, first_again) = (&executions[0], &executions[1]);
    assert_eq!(first_again["id"], first["id"]);
    assert_eq!((&first_again["status"], &first_again["kind"]), (&json!("failed"), &json!("interrupted")));
    assert_eq!(second["status"], "success", "{second}");
    assert_eq!(second["runId"], first["runId"], "the run is the same");
    assert_eq!(second["attempt"], 1, "an interruption uses up no attempt");
    assert_eq!(host.ended("after", 1).len(), 1, "the effect took place once");
    let events: i64 = host
        .database()
        .query_row("SELECT count(*) FROM events WHERE event = 'other'", [], |row| row.get(0))
        .expect("a valid query");
    assert_eq!(events, 50, "every acknowledged event is there");
    assert_eq!(host.get("/v1/tasks/held").body["isPaused"], true, "a pause survives");
}

#[test]
fn the_third_interruption_of_a_run_ends_it() {
    let mut host = TestHost::start();
    host.push("slow", SLEEP_THEN_SUCCEED);
    host.create(&json!({"id": "slow", "type": "event", "onEvent": "go", "plugin": "slow"}));
    host.publish("go", &json!({"ms": 20_000}), 1);
    for _ in 0..3 {
        assert_eq!(host.running("slow")["status"], "running");
        host = TestHost::start_in(host.kill());
    }
    let executions = host.executions("slow");
    assert_eq!(executions.len(), 3, "{executions:?}");
    assert!(executions.iter().all(|execution| execution["kind"] == "interrupted"));
    assert_eq!(host.get("/v1/stats").body["queuedRuns"], 0);
    assert_eq!(host.get("/v1/tasks/slow").body["status"], "paused", "its plugin is quarantined");
}

#[test]
fn two_hosts_do_not_share_a_data_directory() {
    let host = TestHost::start();
    let output = std::process::Command::new(innkeeper_tests::host::binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(host.directory())
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains(&host.directory().display().to_string()), "the error names the directory: {said}");
}
