//! Components that were not made for this host run as they are: each kind of handler gets the event and its data in its own
//! way, and says what came of it in its own way.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use crate::components::{
    ANSWER_BADLY, BE_A_PROGRAM, BE_A_PROGRAM_FOR_WASIP1, HANDLE_A_CRON_EVENT, HANDLE_A_MESSAGE,
    SERVE_A_REQUEST,
};

fn host_with(component: &str) -> TestHost {
    let host = TestHost::start();
    host.push("foreign", component);
    host
}

/// Runs the plugin once with this data, and gives the execution.
fn run(host: &TestHost, task: &str, data: &Value) -> Value {
    host.run_once(&json!({"id": task, "plugin": "foreign", "metadata": {"größe": 1}}), data)
}

fn messages(host: &TestHost, execution: &Value) -> Vec<String> {
    let id = execution["id"].as_str().expect("an id");
    let answer = host.get(&format!("/v1/executions/{id}/logs"));
    let logs = answer.body["items"].as_array().cloned().unwrap_or_default();
    logs.iter().filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
}

fn assert_failed(execution: &Value, kind: &str, error: &str) {
    assert_eq!((&execution["status"], &execution["kind"]), (&json!("failed"), &json!(kind)), "{execution}");
    assert!(
        execution["error"].as_str().is_some_and(|message| message.contains(error)),
        "`{error}`: {execution}"
    );
}

fn a_program_runs(component: &str) {
    let host = host_with(component);
    let execution = run(&host, "surroundings", &Value::Null);
    let told = &execution["output"]["variables"];
    assert_eq!(execution["output"]["arguments"], json!([]), "{execution}");
    let expected = [
        ("INNKEEPER_EVENT", json!("surroundings")),
        ("INNKEEPER_RUN_ID", execution["runId"].clone()),
        ("INNKEEPER_EXECUTION_ID", execution["id"].clone()),
        ("INNKEEPER_TASK_ID", json!("surroundings")),
        ("INNKEEPER_ATTEMPT", json!("1")),
        ("INNKEEPER_TENANT", json!("default")),
        ("INNKEEPER_METADATA", json!("{\"größe\":1}")),
    ];
    for (name, value) in expected {
        assert_eq!(told[name], value, "{name}: {execution}");
    }
    assert!(told["INNKEEPER_SCHEDULED_AT"].is_null(), "{told}");
    let execution = run(&host, "prints", &json!({"print": "[1, 2]", "complain": "look"}));
    assert_eq!(execution["output"], json!([1, 2]), "{execution}");
    assert_eq!(messages(&host, &execution), ["[1, 2]", "look"]);
    let execution = run(&host, "talks", &json!({"print": "hello"}));
    assert_eq!(
        (&execution["status"], &execution["output"]),
        (&json!("success"), &Value::Null),
        "{execution}"
    );
    let execution = run(&host, "fails", &json!({"exit": 1, "complain": "the disk is full"}));
    assert_failed(&execution, "handler_error", "exit code 1: the disk is full");
    assert_eq!(run(&host, "leaves", &json!({"exit": 0, "print": "7"}))["output"], 7);
    assert_failed(&run(&host, "panics", &json!({"panic": "oh no"})), "trap", "oh no");
    assert_failed(&run(&host, "errs", &json!({"exit": "x"})), "handler_error", "bad data");
}

#[test]
fn a_plain_program_is_a_plugin() {
    a_program_runs(BE_A_PROGRAM);
}

#[test]
fn a_program_for_the_older_wasi_is_adapted_and_kept_as_it_was_uploaded() {
    a_program_runs(BE_A_PROGRAM_FOR_WASIP1);
    let host = host_with(BE_A_PROGRAM_FOR_WASIP1);
    let module = std::fs::read(BE_A_PROGRAM_FOR_WASIP1).expect("the guest is built");
    assert_eq!(module[4..8], [1, 0, 0, 0], "a core module");
    let digest = innkeeper_model::id::Digest::of(&module).to_string();
    assert_eq!(host.get("/v1/plugins/foreign").body["digest"], digest);
    let stored: Vec<u8> = host
        .database()
        .query_row("SELECT component FROM plugin_versions", [], |row| row.get(0))
        .expect("one version");
    assert_eq!(stored, module);
}

#[test]
fn the_limits_hold_for_programs() {
    let host = host_with(BE_A_PROGRAM);
    let limited = |task: &str, limits: Value, data: &Value| {
        host.run_once(&json!({"id": task, "plugin": "foreign", "limits": limits}), data)
    };
    assert_failed(
        &limited("fuel", json!({"fuel": 1_000_000}), &json!({"spin": true})),
        "fuel_exhausted",
        "fuel",
    );
    let much = json!({"print": "x".repeat(100), "times": 1000});
    let execution = limited("output", json!({}), &much);
    assert_eq!(execution["status"], "success", "{execution}");
    assert!(execution["receipt"]["logBytesDropped"].as_u64().is_some_and(|bytes| bytes > 0), "{execution}");
    assert!(execution["output"].is_null(), "{execution}");
}

#[test]
fn a_web_handler_is_asked_with_the_data() {
    let host = host_with(SERVE_A_REQUEST);
    let execution = run(&host, "asked", &json!(["ä", 1]));
    let asked = &execution["output"];
    assert_eq!(asked["method"], "POST", "{execution}");
    assert_eq!(asked["uri"], "http://innkeeper.invalid/");
    assert_eq!(asked["data"], "[\"ä\",1]");
    let expected = [
        ("content-type", json!("application/json")),
        ("content-length", json!("8")),
        ("innkeeper-event", json!("asked")),
        ("innkeeper-run-id", execution["runId"].clone()),
        ("innkeeper-execution-id", execution["id"].clone()),
        ("innkeeper-task-id", json!("asked")),
        ("innkeeper-attempt", json!("1")),
        ("innkeeper-metadata", json!("{\"größe\":1}")),
    ];
    for (name, value) in expected {
        assert_eq!(asked["headers"][name], value, "{name}: {execution}");
    }
}

#[test]
fn a_status_says_what_came_of_a_request() {
    let host = host_with(SERVE_A_REQUEST);
    let execution = run(&host, "text", &json!({"status": 204}));
    assert_eq!(
        (&execution["status"], &execution["output"]),
        (&json!("success"), &Value::Null),
        "{execution}"
    );
    assert_failed(
        &run(&host, "gone", &json!({"status": 410, "body": "gone"})),
        "permanent",
        "status 410: gone",
    );
    let execution = run(&host, "busy", &json!({"status": 503, "headers": {"retry-after": "7"}}));
    assert_failed(&execution, "handler_error", "status 503");
    let large = json!({"body": "x".repeat(1000), "times": 100});
    assert_failed(&run(&host, "large", &large), "output_exceeded", "100000 bytes");
    let wrong = json!({"headers": {"content-type": "application/json"}, "body": "{"});
    assert_failed(&run(&host, "wrong", &wrong), "handler_error", "not JSON");
    assert_failed(&run(&host, "panics", &json!({"panic": true})), "trap", "as asked");
}

#[test]
fn retry_after_delays_the_next_attempt() {
    let host = host_with(SERVE_A_REQUEST);
    host.create(&json!({
        "id": "busy", "type": "event", "onEvent": "go", "plugin": "foreign", "retryPolicy": {"maxAttempts": 2},
    }));
    host.publish("go", &json!({"status": 429, "headers": {"retry-after": "3600"}}), 1);
    let execution = host.ended("busy", 1).remove(0);
    let ready: String =
        host.database().query_row("SELECT readyAt FROM runs", [], |row| row.get(0)).expect("one run");
    let at = |text: &str| text.parse::<innkeeper_model::time::Timestamp>().expect("a time").as_millis();
    let delay = at(&ready) - at(execution["completedAt"].as_str().expect("a time"));
    assert!((3_599_000..=3_601_000).contains(&delay), "{delay} ms");
}

#[test]
fn a_web_handler_that_does_not_answer_as_it_should_fails() {
    let host = host_with(ANSWER_BADLY);
    assert_failed(&run(&host, "none", &Value::Null), "handler_error", "without a whole answer");
    assert_failed(&run(&host, "error", &json!("error")), "handler_error", "ConnectionRefused");
    assert_failed(&run(&host, "unfinished", &json!("unfinished")), "trap", "after the answer");
}

#[test]
fn a_component_for_spins_cron_trigger_is_told_when_it_was_due() {
    let host = host_with(HANDLE_A_CRON_EVENT);
    host.create(&json!({"id": "due", "type": "schedule", "after": "10ms", "plugin": "foreign"}));
    let execution = host.ended("due", 1).remove(0);
    let due = execution["scheduledAt"].as_str().expect("a due time");
    let due: innkeeper_model::time::Timestamp = due.parse().expect("a time");
    let expected = format!("due {}, event Err(NotPresent)", due.as_millis() / 1000);
    assert_eq!(messages(&host, &execution), [expected]);
    assert_eq!(execution["status"], "success", "{execution}");
    assert_failed(&run(&host, "fail", &Value::Null), "handler_error", "as asked");
}

#[test]
fn a_component_for_wasmclouds_messaging_gets_events_and_publishes_them() {
    let host = host_with(HANDLE_A_MESSAGE);
    host.push("echo", crate::components::ECHO);
    host.create(&json!({"id": "listener", "type": "event", "onEvent": "heard:*", "plugin": "echo"}));
    let execution = run(&host, "told", &json!({"a": 1}));
    assert_eq!(execution["status"], "success", "{execution}");
    let heard = host.ended("listener", 1).remove(0);
    assert_eq!(heard["output"]["event"], "heard:told", "{heard}");
    assert_eq!(heard["output"]["data"], json!({"a": 1}));
    assert_failed(&run(&host, "ask", &Value::Null), "handler_error", "nobody answers");
}
