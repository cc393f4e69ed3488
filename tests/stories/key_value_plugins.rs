//! The plugins of the shelf that keep something, with their sample tasks.

use innkeeper_tests::{TestHost, eventually};
use serde_json::{Value, json};

use crate::components::{DIGEST, ECHO, HEARTBEAT};
use crate::granted::host_with;

/// Creates the task of a plugin's sample, changed by `change`.
fn create_sample(host: &TestHost, sample: &str, change: Value) -> String {
    let mut task: Value = serde_json::from_str(sample).expect("JSON");
    if let Value::Object(fields) = change {
        for (key, value) in fields {
            task[key] = value;
        }
    }
    host.create(&task)["id"].as_str().expect("an id").to_owned()
}

fn run(host: &TestHost, task: &str) {
    assert_eq!(host.post(&format!("/v1/tasks/{task}/run"), &Value::Null).status, 202);
}

#[test]
fn digest_collects_and_publishes_once() {
    let grants = json!({"keyValue": ["digest"]});
    let host = host_with(&[("digest", DIGEST, grants), ("echo", ECHO, json!({}))]);
    let collect = create_sample(&host, include_str!("../../plugins/digest/collect.json"), json!({}));
    let publish = create_sample(&host, include_str!("../../plugins/digest/publish.json"), json!({}));
    host.create(&json!({"id": "reader", "type": "event", "onEvent": "digest:signups", "plugin": "echo"}));
    for name in ["Ada", "Bob"] {
        host.publish("user:created", &json!({"name": name}), 1);
    }
    assert!(host.ended(&collect, 2).iter().all(|execution| execution["output"] == "collected"));
    run(&host, &publish);
    assert_eq!(host.ended(&publish, 1)[0]["output"], 2);
    let summary = host.ended("reader", 1)[0]["output"]["data"].clone();
    assert_eq!((&summary["count"], &summary["byEvent"]), (&json!(2), &json!({"user:created": 2})));
    assert_eq!(host.get("/v1/kv").body["items"], json!([]));
    run(&host, &publish);
    assert_eq!(host.ended(&publish, 2)[0]["output"], 0);
}

#[test]
fn heartbeat_tells_of_silence_and_of_its_end() {
    let grants = json!({"keyValue": ["heartbeat"]});
    let host = host_with(&[("heartbeat", HEARTBEAT, grants), ("echo", ECHO, json!({}))]);
    let note = create_sample(&host, include_str!("../../plugins/heartbeat/note.json"), json!({}));
    let expect = json!({"metadata": {"expect": {"backup": "1ms", "worker": "1d"}}, "cron": "0 0 1 1 *"});
    let look = create_sample(&host, include_str!("../../plugins/heartbeat/look.json"), expect);
    host.create(&json!({"id": "alarm", "type": "event", "onEvent": "heartbeat:missed", "plugin": "echo"}));
    host.publish("heartbeat:backup", &Value::Null, 1);
    assert_eq!(host.ended(&note, 1).len(), 1);
    let mut looks = 0;
    let alarm = eventually("an alarm", || {
        run(&host, &look);
        looks += 1;
        assert_eq!(host.ended(&look, looks).len(), looks);
        host.executions("alarm").pop().filter(|execution| execution["status"] == "success")
    });
    assert_eq!(alarm["output"]["data"]["name"], "backup");
    let last = host.get("/v1/kv/heartbeat/backup").body;
    assert_eq!((&last["missed"], &alarm["output"]["data"]["lastSeenAt"]), (&json!(true), &last["since"]));
    run(&host, &look);
    assert_eq!(host.ended(&look, looks + 1).len(), looks + 1);
    assert_eq!(host.ended("alarm", 1).len(), 1);
    host.publish("heartbeat:backup", &Value::Null, 1);
    eventually("the end of the silence", || {
        (host.get("/v1/kv/heartbeat/backup").body["missed"] == false).then_some(())
    });
}
