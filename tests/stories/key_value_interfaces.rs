//! The standard interfaces, each under its exact name, with guests that use the standard bindings.

use serde_json::{Value, json};

use crate::components::{
    CONFIG_DRAFT, CONFIG_RC1, ECHO, KEYVALUE_DRAFT, KEYVALUE_DRAFT2, KEYVALUE_DRAFT2_PAIRS,
};
use crate::granted::{host_with, log_of};

fn imports(plugin: &Value) -> Vec<String> {
    let imports = plugin["imports"].as_array().expect("imports").iter();
    imports.map(|name| name.as_str().expect("a name").to_owned()).collect()
}

#[test]
fn the_first_draft_of_key_value_works_in_full() {
    let host = host_with(&[("guest", KEYVALUE_DRAFT, json!({"keyValue": ["granted"]}))]);
    let named = imports(&host.get("/v1/plugins/guest").body);
    for interface in ["store", "atomics", "batch"] {
        assert!(named.contains(&format!("wasi:keyvalue/{interface}@0.2.0-draft")), "{named:?}");
    }
    let execution = host.run_once(&json!({"id": "run", "plugin": "guest"}), &Value::Null);
    let output = &execution["output"];
    assert_eq!(output["refusals"], json!(["Error::AccessDenied", "Error::NoSuchStore"]), "{execution}");
    let expected = json!({
        "many": [["a", [49]], null], "sum": 7, "exists": [false, true], "get": [55], "keys": ["c"],
        "pages": [256, 45], "isLast": true, "lastKey": "n299", "wrongCursor": true,
    });
    assert_eq!(output["told"], expected);
    let kept = host.get("/v1/kv").body["items"].clone();
    assert_eq!((&kept[0]["bucket"], &kept[0]["keys"]), (&json!("granted"), &json!(301)));
}

#[test]
fn the_second_draft_of_key_value_works_in_full() {
    let host = host_with(&[("guest", KEYVALUE_DRAFT2, json!({"keyValue": ["granted"]}))]);
    let named = imports(&host.get("/v1/plugins/guest").body);
    for interface in ["store", "atomics", "batch"] {
        assert!(named.contains(&format!("wasi:keyvalue/{interface}@0.2.0-draft2")), "{named:?}");
    }
    let execution = host.run_once(&json!({"id": "run", "plugin": "guest"}), &Value::Null);
    let output = &execution["output"];
    assert_eq!(output["refusals"], json!(["Error::AccessDenied", "Error::NoSuchStore"]), "{execution}");
    let swaps = json!({
        "seen": [null, null], "done": true, "current": b"first", "doneAgain": true, "value": b"again",
    });
    let expected = json!({
        "many": [["a", [49]], ["missing", null]], "sum": -1, "swaps": swaps, "exists": [false, true],
        "get": b"-1", "keys": ["c", "swapped"], "pages": [256, 46], "isLast": true, "lastKey": "swapped",
    });
    assert_eq!(output["told"], expected);
}

#[test]
fn the_second_draft_is_met_in_its_earlier_shape_too() {
    let host = host_with(&[("guest", KEYVALUE_DRAFT2_PAIRS, json!({"keyValue": ["granted"]}))]);
    let execution = host.run_once(&json!({"id": "run", "plugin": "guest"}), &Value::Null);
    assert_eq!(execution["output"], "[Some((\"a\", [49])), None], refused: true", "{execution}");
}

#[test]
fn configuration_works_under_both_of_its_names() {
    for (component, version) in [(CONFIG_RC1, "0.2.0-rc.1"), (CONFIG_DRAFT, "0.2.0-draft")] {
        let host = host_with(&[("guest", component, json!({"config": ["granted", "missing", "other"]}))]);
        let named = imports(&host.get("/v1/plugins/guest").body);
        assert!(named.contains(&format!("wasi:config/store@{version}")), "{named:?}");
        for (key, value) in [("granted", "a"), ("other", "b"), ("denied", "c")] {
            let body = json!({"value": value}).to_string();
            let answer = host.put(&format!("/v1/config/{key}"), "application/json", body.as_bytes());
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        let execution = host.run_once(&json!({"id": "run", "plugin": "guest"}), &Value::Null);
        let expected = json!({
            "granted": "a", "missing": null, "denied": null, "all": [["granted", "a"], ["other", "b"]],
        });
        assert_eq!(execution["output"], expected, "{execution}");
        let grant =
            "denied: configuration key \"denied\": allow it with: innkeeper plugin allow guest config=denied";
        assert_eq!(log_of(&host, &execution), [grant]);
    }
}

#[test]
fn a_plugin_that_does_not_use_a_capability_does_not_import_it() {
    let host = host_with(&[("echo", ECHO, json!({}))]);
    let named = imports(&host.get("/v1/plugins/echo").body);
    let unused = |name: &String| name.starts_with("wasi:keyvalue") || name.starts_with("wasi:config");
    assert!(!named.iter().any(unused), "{named:?}");
}
