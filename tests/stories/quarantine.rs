//! A handler that brings the host down is found out, and nobody else suffers for it.

use innkeeper_tests::TestHost;
use innkeeper_tests::wait::eventually;
use serde_json::json;

use crate::components::{ECHO, SLEEP_THEN_SUCCEED};

#[test]
fn the_third_crash_quarantines_the_culprit_and_not_what_ran_beside_it() {
    let mut host = TestHost::start();
    for plugin in ["culprit", "bystander"] {
        host.push(plugin, SLEEP_THEN_SUCCEED);
        host.create(&json!({"id": plugin, "type": "event", "onEvent": plugin, "plugin": plugin}));
    }
    host.push("echo", ECHO);
    host.create(&json!({"id": "echo", "type": "event", "onEvent": "echo", "plugin": "echo"}));
    host.publish("culprit", &json!({"ms": 60_000}), 1);
    host.publish("bystander", &json!({"ms": 4_000}), 1);
    for task in ["culprit", "bystander"] {
        assert_eq!(host.running(task)["status"], "running");
    }
    host = TestHost::start_in(host.kill());
    for crash in 2..=3 {
        assert_eq!(host.running("culprit")["status"], "running");
        let held = eventually("the bystander waits", || {
            let why = host.get("/v1/tasks/bystander").body["waitingFor"].as_str().map(str::to_owned);
            why.filter(|why| why.contains("ran when the host crashed"))
        });
        assert!(held.contains("one at a time"), "{held}");
        host.publish("echo", &json!(crash), 1);
        assert_eq!(host.ended("echo", crash - 1)[0]["status"], "success", "who is no suspect runs on");
        host = TestHost::start_in(host.kill());
    }
    assert_eq!(host.ended("bystander", 2)[0]["status"], "success", "it was not to blame");
    assert_eq!(host.get("/v1/tasks/bystander").body["pauseReason"], json!(null));
    let task = host.get("/v1/tasks/culprit").body;
    assert_eq!((&task["isPaused"], &task["status"]), (&json!(true), &json!("paused")));
    let reason = task["pauseReason"].as_str().expect("a reason");
    assert!(reason.contains("`culprit` is quarantined: the host crashed 3 times"), "{reason}");
    assert!(task["waitingFor"].as_str().is_some_and(|why| why.contains(reason)), "{task}");
    let quarantine = host.get("/v1/plugins/culprit").body["quarantine"].take();
    assert!(quarantine["since"].is_string(), "{quarantine}");
    assert_eq!(quarantine["reason"], "the host crashed 3 times while this version ran");
    let told = host.client(&["plugin", "get", "culprit"]);
    assert!(told.contains("innkeeper plugin release culprit") && told.contains("crashed 3 times"), "{told}");
    assert_eq!(host.get("/v1/plugins/bystander").body["quarantine"], json!(null));
    let resumed = host.post("/v1/tasks/culprit/resume", &json!(null));
    assert_eq!((resumed.status, &resumed.body["code"]), (409, &json!("quarantined")));
    let mut task = json!({"type": "event", "onEvent": "culprit", "plugin": "culprit"});
    let replaced = host.put_json("/v1/tasks/culprit", &task);
    assert_eq!(
        (replaced.status, &replaced.body["code"]),
        (409, &json!("quarantined")),
        "nor by a replacement"
    );
    task["isPaused"] = true.into();
    let replaced = host.put_json("/v1/tasks/culprit", &task);
    assert_eq!((replaced.status, &replaced.body["pauseReason"]), (200, &json!(reason)));

    let released = host.post("/v1/plugins/culprit/release", &json!(null));
    assert_eq!((released.status, &released.body), (200, &json!({"resumed": ["culprit"]})));
    assert_eq!(host.get("/v1/plugins/culprit").body["quarantine"], json!(null));
    host.publish("culprit", &json!({"ms": 1}), 1);
    assert_eq!(host.ended("culprit", 4)[0]["status"], "success");
}

#[test]
fn another_version_takes_a_plugin_out_of_quarantine() {
    let mut host = TestHost::start();
    host.push("culprit", SLEEP_THEN_SUCCEED);
    for task in ["one", "two"] {
        host.create(&json!({"id": task, "type": "event", "onEvent": "go", "plugin": "culprit"}));
    }
    host.publish("go", &json!({"ms": 60_000}), 2);
    while host.get("/v1/plugins/culprit").body["quarantine"].is_null() {
        eventually("one of them runs", || (host.get("/v1/stats").body["running"] != 0).then_some(()));
        host = TestHost::start_in(host.kill());
    }
    assert!(
        ["one", "two"].iter().all(|task| host.get(&format!("/v1/tasks/{task}")).body["isPaused"] == true)
    );
    host.push("culprit", ECHO);
    // What waited on the version that is quarantined does not wait for ever.
    for task in ["one", "two"] {
        let ended = eventually("its run ends", || {
            let last = host.executions(task).into_iter().next()?;
            (last["status"] == "success" || last["final"] == true).then_some(last)
        });
        assert_eq!(host.get(&format!("/v1/tasks/{task}")).body["isPaused"], false, "{ended}");
    }
    assert_eq!(host.get("/v1/stats").body["queuedRuns"], 0);
    host.publish("go", &json!("again"), 2);
    let again = eventually("both run again", || {
        let last = ["one", "two"].map(|task| host.executions(task).into_iter().next().unwrap_or_default());
        last.iter().all(|last| last["output"]["data"] == json!("again")).then_some(last)
    });
    assert!(again.iter().all(|last| last["status"] == "success"));
}
