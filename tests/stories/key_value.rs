//! What a handler keeps: it reads its own writes, and they are there for others when it has succeeded, or never.

use innkeeper_tests::eventually;
use serde_json::{Value, json};

use crate::components::USE_KEY_VALUE;
use crate::granted::{host_with, host_with_bucket, log_of, run_steps, set, value};

#[test]
fn an_execution_reads_its_own_writes_and_the_next_one_reads_them_too() {
    let host = host_with_bucket();
    let steps = json!([
        ["get", "a"],
        ["set", "a", "1"],
        ["get", "a"],
        ["increment", "n", 5],
        ["increment", "n", -2],
        ["set", "b", "2"],
        ["delete", "a"],
        ["exists", "a"],
        ["list", ""]
    ]);
    let first = run_steps(&host, "first", &steps);
    assert_eq!(first["output"], json!([null, null, "1", 5, 3, null, null, false, ["b", "n"]]), "{first}");
    let second = run_steps(&host, "second", &json!([["get", "n"], ["list", ""], ["append", "b", "3"]]));
    assert_eq!(second["output"], json!(["3", ["b", "n"], null]));
    assert_eq!((value(&host, "a"), value(&host, "b")), (None, Some("23".to_owned())));
    assert_eq!(first["receipt"]["keyValueBytes"], 1 + 2 + 2 + 1 + 1 + 2 + 1 + 1 + 2, "{first}");
}

#[test]
fn a_failed_crashed_or_cancelled_execution_leaves_no_key() {
    let host = host_with_bucket();
    set(&host, "kept", "before");
    for (id, end, kind) in [("failed", "fail", "handler_error"), ("crashed", "trap", "trap")] {
        let steps = json!([["set", "new", "x"], ["delete", "kept"], ["increment", "n", 1]]);
        let data = json!({"bucket": "state", "steps": steps, "end": end});
        let execution = host.run_once(&json!({"id": id, "plugin": "kv"}), &data);
        assert_eq!(execution["kind"], kind, "{execution}");
    }
    host.create(&json!({"id": "cancelled", "type": "event", "onEvent": "cancelled", "plugin": "kv"}));
    let data = json!({"bucket": "state", "steps": [["set", "new", "x"], ["delete", "kept"]], "end": "sleep"});
    host.publish("cancelled", &data, 1);
    let running = host.running("cancelled")["id"].as_str().expect("an id").to_owned();
    assert_eq!(host.post(&format!("/v1/executions/{running}/cancel"), &Value::Null).status, 202);
    assert_eq!(host.ended("cancelled", 1)[0]["kind"], "cancelled");
    assert_eq!(host.get("/v1/kv/state").body["items"], json!([{"key": "kept", "size": 6}]));
}

#[test]
fn a_retry_does_not_double_what_was_counted() {
    let host = host_with_bucket();
    let config = json!({
        "id": "count", "type": "event", "onEvent": "count", "plugin": "kv", "retryPolicy": {"maxAttempts": 3},
    });
    host.create(&config);
    let data = json!({"bucket": "state", "steps": [["increment", "n", 1], ["wait", "go"]], "end": "trap"});
    host.publish("count", &data, 1);
    set(&host, "go", "1");
    assert_eq!(host.ended("count", 3).len(), 3);
    assert_eq!(value(&host, "n"), None);
    run_steps(&host, "once", &json!([["increment", "n", 1]]));
    assert_eq!(value(&host, "n").as_deref(), Some("1"));
}

#[test]
fn a_bucket_that_is_not_granted_is_denied_and_the_log_has_the_grant() {
    let host = host_with(&[("kv", USE_KEY_VALUE, json!({"keyValue": ["state"]}))]);
    let data = json!({"bucket": "other", "steps": []});
    let execution = host.run_once(&json!({"id": "denied", "plugin": "kv"}), &data);
    let refused = execution["output"]["refused"].as_str().expect("a refusal");
    assert!(refused.contains("\"other\" is not granted"), "{execution}");
    let grant = "denied: bucket \"other\": allow it with: innkeeper plugin allow kv kv=other";
    assert_eq!(log_of(&host, &execution), [grant]);
}

#[test]
fn bytes_are_limited_and_the_failure_says_so() {
    let host = host_with_bucket();
    let fill = |key: &str| json!(["fill", key, "1000000"]);
    let steps = json!([fill("a"), fill("b"), fill("c"), fill("d"), fill("e")]);
    let coped = run_steps(&host, "coped", &steps);
    assert_eq!(coped["output"].as_array().expect("results")[..4], [(); 4].map(|()| Value::Null));
    let refused = coped["output"][4]["refused"].as_str().expect("a refusal");
    assert!(refused.contains("may read and write 4194304 bytes"), "{refused}");
    let data = json!({"bucket": "state", "steps": steps, "end": "fail"});
    let failed = host.run_once(&json!({"id": "failed", "plugin": "kv"}), &data);
    assert_eq!(failed["kind"], "key_value_limit", "{failed}");
    let large = run_steps(&host, "large", &json!([["fill", "f", "1048577"], ["set", "", "x"]]));
    let refusals: Vec<_> =
        large["output"].as_array().expect("results").iter().map(|step| step["refused"].clone()).collect();
    assert!(refusals[0].as_str().is_some_and(|text| text.contains("at most 1048576")), "{large}");
    assert!(refusals[1].as_str().is_some_and(|text| text.contains("1 to 256 bytes")), "{large}");
    let listed = host.get("/v1/kv/state");
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(4));
}

#[test]
fn keys_are_limited_in_number() {
    let host = host_with_bucket();
    let steps = json!([["keys", 10_001], ["set", "0", "again"], ["increment", "other", 1]]);
    let execution = run_steps(&host, "many", &steps);
    let refused = |step: usize| execution["output"][step]["refused"].as_str().unwrap_or_default();
    assert!(refused(0).contains("may write 10000 keys") && refused(2).contains("10000 keys"), "{execution}");
    assert_eq!(execution["output"][1], Value::Null);
    assert_eq!(host.get("/v1/kv").body["items"][0]["keys"], 10_000);
}

#[test]
fn additions_of_many_executions_at_once_all_count() {
    let host = host_with_bucket();
    host.create(&json!({"id": "count", "type": "event", "onEvent": "count", "plugin": "kv"}));
    let data = json!({"bucket": "state", "steps": [["increment", "n", 1], ["wait", "go"]]});
    for _ in 0..20 {
        host.publish("count", &data, 1);
    }
    eventually("20 executions at once", || (host.get("/v1/stats").body["runningRuns"] == 20).then_some(()));
    set(&host, "go", "1");
    let ended = host.ended("count", 20);
    assert!(ended.iter().all(|execution| execution["status"] == "success"), "{ended:?}");
    assert_eq!((ended.len(), value(&host, "n").as_deref()), (20, Some("20")));
}
