//! The task reference: its tables, its defaults, its examples and its refusals are those of the program.

use std::collections::BTreeSet;

use innkeeper_model::execution::{FailureKind, Receipt};
use innkeeper_model::task::{Misfire, Overlap, TaskStatus};
use innkeeper_model::task_config::{LimitsConfig, TaskConfig};
use innkeeper_store::SkipReason;
use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use super::{quoted, read, rows};
use crate::components;

const PAGE: &str = "docs/tasks.md";
const FIELDS: [&str; 5] = ["field", "type", "default", "limits", "meaning"];
const LIMITS: [&str; 5] = ["field", "type", "default", "limits", "what is beyond it"];
/// The fields of a policy, with one of each that is there.
const POLICY: &str = r#"{"maxAttempts": 2, "delay": "1s", "backoff": "fixed", "maxDelay": "2s", "maxRetryDuration": "1m", "jitter": 0.5}"#;
const RATE: &str = r#"{"interval": "1s", "limit": 1, "strategy": "fixed", "overflow": "delay"}"#;

/// The first column's names.
fn names(heading: &[&str]) -> Vec<String> {
    rows(&read(PAGE), heading).iter().flat_map(|row| quoted(&row[0])).collect()
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    items.into_iter().collect()
}

fn host() -> TestHost {
    let host = TestHost::start();
    host.push("greeter", components::GREETER);
    host
}

/// A task with nothing that need not be there.
fn least() -> Value {
    json!({"id": "t", "type": "schedule", "cron": "0 9 * * *", "plugin": "greeter"})
}

/// `base` with the members of `change` in place of its own; `null` takes one out.
fn changed(mut base: Value, change: &Value) -> Value {
    for (key, value) in change.as_object().expect("an object") {
        base[key] = value.clone();
    }
    base
}

#[test]
fn every_field_has_a_row() {
    let policy: Value = serde_json::from_str(POLICY).expect("JSON");
    let rate: Value = serde_json::from_str(RATE).expect("JSON");
    let below = |name: &str, value: &Value| -> Vec<String> {
        value.as_object().expect("an object").keys().map(|key| format!("{name}.{key}")).collect()
    };
    let expected = TaskConfig::KEYS.map(str::to_owned).into_iter();
    let expected = expected.chain(below("retryPolicy", &policy)).chain(below("rateLimit", &rate));
    assert_eq!(sorted(names(&FIELDS)), sorted(expected));
    let limits = LimitsConfig::KEYS.map(|key| format!("limits.{key}"));
    assert_eq!(sorted(names(&LIMITS)), sorted(limits));
    // The nested fields are all that there are: these are taken, and the host names the others as unknown.
    let host = host();
    host.create(&changed(least(), &json!({"retryPolicy": policy, "rateLimit": rate})));
}

#[test]
fn every_default_is_the_one_that_holds() {
    let host = host();
    let policies = json!({"retryPolicy": {"maxAttempts": 2}, "rateLimit": {"interval": "1s", "limit": 1}});
    let plain = host.create(&least());
    let with_policies = host.create(&changed(changed(least(), &json!({"id": "u"})), &policies));
    for row in [rows(&read(PAGE), &FIELDS), rows(&read(PAGE), &LIMITS)].concat() {
        let (field, default) = (quoted(&row[0]).remove(0), row[2].as_str());
        let answer = if field.contains('.') { &with_policies } else { &plain };
        let value = &answer[field.split('.').next().unwrap_or_default()];
        let value = field.split('.').nth(1).map_or(value, |name| &value[name]);
        match (default, field.as_str()) {
            // The answer has the trigger that this task has, and what holds without a policy and without limits of its own.
            ("required" | "by trigger", _) | (_, "allowPast" | "cron" | "retryPolicy" | "limits") => {}
            ("none", _) => assert_eq!(*value, Value::Null, "{field}"),
            (default, _) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(quoted(default), [text], "{field}");
            }
        }
    }
    assert_eq!(plain["maxAttempts"], 1, "without a policy");
    assert_eq!(host.post("/v1/tasks", &changed(least(), &json!({"id": "v", "allowPast": null}))).status, 201);
}

#[test]
fn policies_have_rows_and_their_defaults_by_trigger() {
    let overlap = rows(&read(PAGE), &["policy", "what happens to the new run", "default of"]);
    let named: Vec<_> = overlap.iter().flat_map(|row| quoted(&row[0])).collect();
    assert_eq!(named, Overlap::ALL.map(Overlap::as_str));
    let host = host();
    let values = [("preset", "@daily"), ("cron", "@daily"), ("at", "2040-01-01T00:00"), ("after", "9h")];
    for (index, (trigger, value)) in values.into_iter().chain([("onEvent", "x")]).enumerate() {
        let kind = if trigger == "onEvent" { "event" } else { "schedule" };
        let id = format!("t{index}");
        let task = host.create(&json!({"id": id, "type": kind, trigger: value, "plugin": "greeter"}));
        let row = overlap.iter().find(|row| quoted(&row[2]).iter().any(|name| name == trigger));
        let row = row.unwrap_or_else(|| panic!("{trigger} has a default"));
        assert_eq!(task["overlap"], quoted(&row[0])[0].as_str(), "{trigger}");
    }
    assert_eq!(names(&["policy", "what happens to missed due times"]), Misfire::ALL.map(Misfire::as_str));
}

#[test]
fn every_example_is_a_task() {
    let host = host();
    let page = read(PAGE);
    let examples = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut triggers = BTreeSet::new();
    for example in examples {
        let task: Value = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        host.push(task["plugin"].as_str().expect("a plugin"), components::GREETER);
        host.create(&task);
        let all = ["preset", "cron", "at", "after", "onEvent"];
        triggers.extend(all.into_iter().filter(|trigger| task.get(trigger).is_some()));
    }
    assert_eq!(triggers.len(), 5, "an example for each: {triggers:?}");
}

#[test]
fn every_refusal_is_as_it_is_told() {
    let host = host();
    for row in rows(&read(PAGE), &["written", "field", "code", "message"]) {
        let change: Value = serde_json::from_str(&quoted(&row[0])[0]).expect("JSON");
        let answer = host.post("/v1/tasks", &changed(least(), &change));
        assert_eq!(answer.status, 422, "{change}: {answer:?}");
        let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
        let (field, code) = (&quoted(&row[1])[0], &quoted(&row[2])[0]);
        let found = errors.iter().find(|error| error["field"] == **field && error["code"] == **code);
        let found = found.unwrap_or_else(|| panic!("{change}: {field} {code} in {errors:?}"));
        let message = found["message"].as_str().unwrap_or_default();
        assert!(message.contains(&row[3]), "{change}: {message}");
    }
    host.create(&least());
    let again = host.post("/v1/tasks", &least());
    assert_eq!((again.status, &again.body["code"]), (409, &json!("task_exists")));
}

#[test]
fn clock_changes_are_as_they_are_told() {
    let host = host();
    for row in rows(&read(PAGE), &["schedule", "from", "next"]) {
        let schedule: Value = serde_json::from_str(&quoted(&row[0])[0]).expect("JSON");
        let next = quoted(&row[2]);
        let body = json!({"timezone": "America/New_York", "from": quoted(&row[1])[0], "count": next.len()});
        let answer = host.post("/v1/schedules/preview", &changed(body, &schedule));
        assert_eq!(answer.body["next"], json!(next), "{schedule}: {answer:?}");
    }
    let presets = rows(&read(PAGE), &["preset", "cron", "meaning"]);
    let listed = host.get("/v1/presets").body["items"].clone();
    let told: Vec<Value> = presets
        .iter()
        .map(|row| json!({"name": quoted(&row[0])[0], "cron": quoted(&row[1])[0], "description": row[2]}))
        .collect();
    assert_eq!(sorted(told.iter().map(Value::to_string)), sorted(list(&listed).iter().map(Value::to_string)));
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

#[test]
fn durations_are_as_they_are_told() {
    let host = host();
    for row in rows(&read(PAGE), &["unit", "also", "example"]) {
        let units = [quoted(&row[0]), quoted(&row[1])].concat().into_iter().map(|unit| format!("3 {unit}"));
        for text in units.chain(quoted(&row[2])) {
            let answer = host.post("/v1/schedules/preview", &json!({"after": text}));
            assert_eq!(answer.status, 200, "{text}: {answer:?}");
        }
    }
}

#[test]
fn what_the_host_says_has_rows() {
    let kinds = names(&["`kind`", "meaning", "then"]);
    assert_eq!(sorted(kinds), sorted(FailureKind::ALL.map(|kind| kind.as_str().to_owned())));
    let ends: Vec<_> = rows(&read(PAGE), &["`kind`", "meaning", "then"])
        .iter()
        .filter(|row| row[2] == "the run ends")
        .flat_map(|row| quoted(&row[0]))
        .collect();
    let expected =
        FailureKind::ALL.into_iter().filter(|kind| kind.ends_run()).map(|kind| kind.as_str().to_owned());
    assert_eq!(sorted(ends), sorted(expected));
    assert_eq!(names(&["reason", "meaning"]), SkipReason::ALL.map(SkipReason::as_str));
    let receipt = serde_json::to_value(Receipt::default()).expect("JSON");
    let told = names(&["field of `receipt`", "meaning"]);
    assert_eq!(sorted(told), sorted(receipt.as_object().expect("an object").keys().cloned()));
}

#[test]
fn answers_have_the_fields_that_are_told() {
    let host = host();
    host.create(&changed(least(), &json!({"isPaused": true})));
    let task = host.get("/v1/tasks/t").body;
    let told = names(&["field", "meaning"]);
    for key in task.as_object().expect("an object").keys() {
        assert!(told.contains(key) || TaskConfig::KEYS.contains(&key.as_str()), "`{key}` has no row");
    }
    let run = json!({"id": "e", "plugin": "greeter"});
    let execution = host.run_once(&run, &json!({"name": "Ada", "userId": "1"}));
    let path = format!("/v1/executions/{}", execution["id"].as_str().expect("an id"));
    for key in host.get(&path).body.as_object().expect("an object").keys() {
        assert!(told.contains(key), "`{key}` has no row");
    }
    let status = &rows(&read(PAGE), &["field", "meaning"])[0];
    for name in TaskStatus::ALL.map(TaskStatus::as_str) {
        assert!(status[1].contains(&format!("`{name}`:")), "{name} in {status:?}");
    }
}
