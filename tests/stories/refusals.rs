//! What is wrong is refused with the reason, and nothing of it is kept.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use crate::components::{GREETER, IMPORT_UNKNOWN};

/// A core module without any contract: magic and version only.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A component that exports nothing: magic, and the version of the component layer.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn assert_refused_upload(host: &TestHost, component: &[u8], code: &str, said: &str) {
    let answer = host.put_plugin("bad", component);
    assert_eq!(answer.status, 422, "{answer:?}");
    let error = &answer.body["errors"][0];
    assert_eq!(error["code"], code, "{answer:?}");
    assert!(
        error["message"].as_str().is_some_and(|message| message.contains(said)),
        "`{said}` in {answer:?}"
    );
    assert_eq!(host.get("/v1/plugins/bad").status, 404);
}

#[test]
fn a_bad_upload_is_refused_by_name_and_leaves_nothing() {
    let host = TestHost::start();
    let greeter = std::fs::read(GREETER).expect("the greeter is built");
    assert_refused_upload(&host, b"hello, I am text", "invalid_component", "WebAssembly");
    assert_refused_upload(&host, b"", "invalid_component", "");
    assert_refused_upload(&host, CORE_MODULE, "core_module", "wasm32-wasip2");
    assert_refused_upload(&host, EMPTY_COMPONENT, "missing_export", "innkeeper:plugin/handler@0.1.0");
    assert_refused_upload(&host, &greeter[..greeter.len() / 2], "invalid_component", "");
    let unknown = std::fs::read(IMPORT_UNKNOWN).expect("the guest is built");
    assert_refused_upload(&host, &unknown, "missing_import", "example:missing/thing");
    assert_eq!(host.get("/v1/plugins").body["items"], json!([]));
    let versions: i64 = host
        .database()
        .query_row("SELECT count(*) FROM plugin_versions", [], |row| row.get(0))
        .expect("a valid query");
    assert_eq!(versions, 0);
}

fn assert_refused_task(host: &TestHost, mut config: Value, field: &str, code: &str) -> Value {
    if config.get("plugin").is_none() {
        config["plugin"] = "greeter".into();
    }
    config["id"] = "bad".into();
    let answer = host.post("/v1/tasks", &config);
    assert_eq!(answer.status, 422, "{answer:?}");
    let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
    let found = errors.into_iter().find(|error| error["field"] == field && error["code"] == code);
    assert_eq!(host.get("/v1/tasks/bad").status, 404);
    found.unwrap_or_else(|| panic!("`{field}`: `{code}` in {answer:?}"))
}

#[test]
fn a_bad_task_is_refused_by_field_and_leaves_nothing() {
    let host = TestHost::start();
    host.push("greeter", GREETER);
    let unknown = json!({"type": "event", "onEvent": "a", "plugin": "gretter"});
    let error = assert_refused_task(&host, unknown, "plugin", "unknown_plugin");
    assert_eq!(error["suggestion"], "greeter");
    assert_refused_task(&host, json!({"type": "schedule", "cron": "61 * * * *"}), "cron", "invalid_cron");
    assert_refused_task(&host, json!({"type": "schedule", "cron": "0 0 30 2 *"}), "cron", "invalid_cron");
    let zone = json!({"type": "schedule", "cron": "0 0 * * *", "timezone": "Europe/Atlantis"});
    assert_refused_task(&host, zone, "timezone", "unknown_timezone");
    let two = json!({"type": "schedule", "cron": "0 0 * * *", "after": "5m"});
    assert_refused_task(&host, two.clone(), "cron", "several_triggers");
    assert_refused_task(&host, two, "after", "several_triggers");
    assert_refused_task(&host, json!({"type": "schedule"}), "cron", "no_trigger");
    assert_refused_task(&host, json!({"type": "schedule", "after": "soon"}), "after", "invalid_duration");
    assert_refused_task(&host, json!({"type": "event", "onevent": "a"}), "onevent", "unknown_field");
    let all = json!({
        "type": "sometimes", "cron": "x", "timezone": "Nowhere", "plugin": "nobody",
        "retryPolicy": {"maxAttempts": 0},
    });
    let answer = host.post("/v1/tasks", &{
        let mut all = all;
        all["id"] = "with space".into();
        all
    });
    let errors = answer.body["errors"].as_array().map_or(0, Vec::len);
    assert!(errors >= 6, "all problems at once: {answer:?}");
    assert_eq!(host.get("/v1/tasks").body["items"], json!([]));
}

#[test]
fn a_second_task_of_the_same_id_is_a_conflict() {
    let host = TestHost::start();
    host.push("greeter", GREETER);
    let config = json!({"id": "a", "type": "event", "onEvent": "a", "plugin": "greeter"});
    host.create(&config);
    let again = host.post("/v1/tasks", &config);
    assert_eq!((again.status, &again.body["code"]), (409, &json!("task_exists")), "{again:?}");
    let used = host.delete("/v1/plugins/greeter");
    assert_eq!((used.status, &used.body["code"]), (409, &json!("plugin_in_use")), "{used:?}");
}
