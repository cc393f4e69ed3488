//! A host that is told to stop ends what runs, or puts it back.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use crate::components::{SLEEP_FOREVER, SLEEP_THEN_SUCCEED};

#[test]
fn a_running_execution_is_waited_for() {
    let host = TestHost::start();
    host.push("slow", SLEEP_THEN_SUCCEED);
    host.create(&json!({"id": "slow", "type": "event", "onEvent": "go", "plugin": "slow"}));
    host.publish("go", &json!({"ms": 1000}), 1);
    assert_eq!(host.running("slow")["status"], "running");
    let host = TestHost::start_in(host.stop());
    let executions = host.executions("slow");
    assert_eq!(executions.len(), 1);
    assert_eq!(executions[0]["status"], "success", "{executions:?}");
}

#[test]
fn a_second_signal_puts_running_work_back_without_using_up_an_attempt() {
    let mut host = TestHost::start();
    host.push("sleep", SLEEP_FOREVER);
    host.create(&json!({"id": "sleep", "type": "event", "onEvent": "go", "plugin": "sleep"}));
    host.publish("go", &Value::Null, 1);
    let first = host.running("sleep");
    host.signal("TERM");
    innkeeper_tests::eventually("the host stops taking work", || host.is_draining().then_some(()));
    host.signal("TERM");
    assert_eq!(host.exit_code(), Some(0));
    let host = TestHost::start_in(host.stop());
    let second = host.running("sleep");
    assert_eq!((&second["runId"], &second["attempt"]), (&first["runId"], &json!(1)));
    let executions = host.executions("sleep");
    assert_eq!(executions[1]["kind"], "interrupted", "{executions:?}");
    assert_eq!(host.delete("/v1/tasks/sleep").status, 204, "so that this host need not wait for it");
    assert_eq!(host.ended("sleep", 2)[0]["kind"], "cancelled");
}
