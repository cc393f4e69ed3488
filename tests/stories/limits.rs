//! A guest that oversteps a limit ends as a failed execution with the limit's name, and the host goes on serving.

use std::time::{Duration, Instant};

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use crate::components::{
    BIG_OUTPUT, CALL_HOST_OFTEN, ECHO, FAIL_PERMANENTLY, FLOOD_LOG, GROW_MEMORY, OVERFLOW_STACK,
    SLEEP_FOREVER, SPIN_FOREVER, SPIN_SLOWLY, TRAP,
};

/// Pushes a guest, runs it once under `limits`, and gives its failure's name and message.
fn failure(host: &TestHost, component: &str, limits: &Value) -> (String, String) {
    host.push("guest", component);
    let execution = host.run_once(&json!({"id": "guest", "plugin": "guest", "limits": limits}), &Value::Null);
    assert_eq!(execution["status"], "failed", "{execution}");
    let text = |field: &str| execution[field].as_str().unwrap_or_default().to_owned();
    (text("kind"), text("error"))
}

fn assert_fails(component: &str, limits: &Value, kind: &str, said: &str) {
    let host = TestHost::start();
    let (found, error) = failure(&host, component, limits);
    assert_eq!(found, kind, "{error}");
    assert!(error.contains(said), "`{said}` in `{error}`");
    assert_eq!(host.get("/healthz").status, 200);
    host.push("echo", ECHO);
    let next = host.run_once(&json!({"id": "next", "plugin": "echo"}), &json!(1));
    assert_eq!(next["status"], "success", "the next execution is not harmed: {next}");
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    assert_fails(SPIN_FOREVER, &json!({"fuel": 50_000_000}), "fuel_exhausted", "50000000");
}

#[test]
fn a_loop_that_needs_little_fuel_runs_out_of_time() {
    assert_fails(SPIN_SLOWLY, &json!({"timeout": "300ms"}), "timeout", "300 ms");
}

#[test]
fn a_sleeper_runs_out_of_time() {
    assert_fails(SLEEP_FOREVER, &json!({"timeout": "50ms"}), "timeout", "50 ms");
}

#[test]
fn a_memory_hog_is_denied() {
    assert_fails(GROW_MEMORY, &json!({"memory": 16 << 20}), "memory_exceeded", "16777216");
}

#[test]
fn a_panic_is_a_trap_with_its_message() {
    assert_fails(TRAP, &json!({}), "trap", "");
}

#[test]
fn endless_recursion_overflows_the_stack() {
    assert_fails(OVERFLOW_STACK, &json!({}), "stack_overflow", "stack");
}

#[test]
fn a_result_over_the_limit_is_refused() {
    assert_fails(BIG_OUTPUT, &json!({}), "output_exceeded", "65536");
}

#[test]
fn a_guest_that_calls_the_host_without_end_is_stopped() {
    assert_fails(CALL_HOST_OFTEN, &json!({}), "host_call_limit", "100000");
}

#[test]
fn a_permanent_failure_is_not_tried_again() {
    let host = TestHost::start();
    host.push("guest", FAIL_PERMANENTLY);
    let task = json!({"id": "guest", "plugin": "guest", "retryPolicy": {"maxAttempts": 5}});
    let execution = host.run_once(&task, &Value::Null);
    assert_eq!(execution["kind"], "permanent", "{execution}");
    assert_eq!(host.get("/v1/stats").body["queuedRuns"], 0);
    assert_eq!(host.executions("guest").len(), 1);
}

#[test]
fn a_flood_of_log_lines_is_cut_counted_and_no_failure() {
    let host = TestHost::start();
    host.push("flood", FLOOD_LOG);
    let execution = host.run_once(&json!({"id": "flood", "plugin": "flood"}), &json!({"lines": 2000}));
    assert_eq!(execution["status"], "success", "{execution}");
    let dropped = execution["receipt"]["logBytesDropped"].as_u64().expect("a count");
    let all = execution["receipt"]["logBytes"].as_u64().expect("a count");
    assert!(all >= 2 * 2000 * 100, "{execution}");
    let logs = host.get(&format!("/v1/executions/{}/logs", execution["id"].as_str().expect("an id")));
    let kept: usize = logs.body["items"]
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|line| line["message"].as_str())
        .map(str::len)
        .sum();
    assert!(kept <= 64 << 10, "{kept} bytes are kept");
    assert!(dropped >= all - (64 << 10), "{dropped} of {all} bytes are dropped");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long the host takes to answer is what this story is about"
)]
fn the_api_answers_within_100_ms_while_guests_spin_on_every_core() {
    let host = TestHost::start();
    host.push("spin", SPIN_FOREVER);
    host.create(&json!({"id": "spin", "type": "event", "onEvent": "spin", "plugin": "spin"}));
    for _ in 0..16 {
        host.publish("spin", &Value::Null, 1);
    }
    assert_eq!(host.running("spin")["status"], "running");
    let mut answers = Vec::new();
    while host.get("/v1/stats").body["runningRuns"] != 0 {
        let asked = Instant::now();
        assert_eq!(host.get("/healthz").status, 200);
        answers.push(asked.elapsed());
    }
    // Other stories use the same cores: one answer in twenty may have waited for them.
    answers.sort_unstable();
    let slow = answers.get(answers.len() * 19 / 20).copied();
    let slow = slow.expect("the guests were spinning while the host was asked");
    assert!(slow < Duration::from_millis(100), "the slowest answers took {slow:?} and more");
    let ended = host.ended("spin", 16);
    assert!(ended.iter().all(|execution| execution["kind"] == "fuel_exhausted"), "{ended:?}");
}
