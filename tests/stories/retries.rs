//! A failed run is tried again as its policy says, and each attempt is a row of the audit trail.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use crate::components::{FAIL_UNTIL, RETRY_AFTER};

fn millis(execution: &Value, field: &str) -> i64 {
    let time: innkeeper_model::time::Timestamp =
        execution[field].as_str().and_then(|text| text.parse().ok()).expect("a time");
    time.as_millis()
}

#[test]
fn a_run_that_fails_twice_succeeds_at_its_third_attempt() {
    let host = TestHost::start();
    host.push("flaky", FAIL_UNTIL);
    host.create(&json!({
        "id": "flaky", "type": "event", "onEvent": "go", "plugin": "flaky",
        "retryPolicy": {"maxAttempts": 4, "delay": "100ms", "backoff": "exponential"},
    }));
    host.publish("go", &json!({"succeedAt": 3}), 1);
    let attempts: Vec<Value> = host.ended("flaky", 3).into_iter().rev().collect();
    assert_eq!(attempts.len(), 3, "{attempts:?}");
    let told: Vec<_> =
        attempts.iter().map(|attempt| (attempt["attempt"].as_u64(), attempt["status"].as_str())).collect();
    assert_eq!(told, [(Some(1), Some("failed")), (Some(2), Some("failed")), (Some(3), Some("success"))]);
    assert!(attempts.iter().all(|attempt| attempt["runId"] == attempts[0]["runId"]), "one run");
    let gap =
        |index: usize| millis(&attempts[index], "startedAt") - millis(&attempts[index - 1], "completedAt");
    assert!(gap(1) >= 100 && gap(2) >= 200, "the delay doubles: {} ms, {} ms", gap(1), gap(2));
    let task = host.get("/v1/tasks/flaky").body;
    assert_eq!(
        (&task["attempts"], &task["status"], &task["maxAttempts"]),
        (&json!(0), &json!("pending"), &json!(4))
    );
    assert_eq!(task["lastRunAt"], attempts[2]["startedAt"]);
}

#[test]
fn a_run_that_always_fails_ends_after_its_last_attempt() {
    let host = TestHost::start();
    host.push("flaky", FAIL_UNTIL);
    host.create(&json!({
        "id": "flaky", "type": "schedule", "after": "10ms", "plugin": "flaky",
        "metadata": {"succeedAt": 99}, "retryPolicy": {"maxAttempts": 3},
    }));
    let attempts = host.ended("flaky", 3);
    assert!(attempts.iter().all(|attempt| attempt["kind"] == "handler_error"), "{attempts:?}");
    assert!(attempts[0]["error"].as_str().is_some_and(|error| error.contains("attempt 3")), "{attempts:?}");
    innkeeper_tests::eventually("the failed one-off's clean-up", || {
        (host.get("/v1/tasks/flaky").status == 404).then_some(())
    });
    assert_eq!(host.executions("flaky").len(), 3);
}

#[test]
fn a_handler_may_ask_for_a_longer_delay() {
    let host = TestHost::start();
    host.push("later", RETRY_AFTER);
    host.create(&json!({
        "id": "later", "type": "event", "onEvent": "go", "plugin": "later",
        "metadata": {"ms": 400}, "retryPolicy": {"maxAttempts": 2, "delay": "1ms"},
    }));
    host.publish("go", &Value::Null, 1);
    let attempts = host.ended("later", 2);
    let waited = millis(&attempts[0], "startedAt") - millis(&attempts[1], "completedAt");
    assert!(waited >= 400, "{waited} ms");
}
