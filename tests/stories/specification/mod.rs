//! The specification, heading by heading, over HTTP and in the database file. `docs/specification.md` lists every
//! statement with the story that shows it.

mod definition;
mod document;
mod examples;
mod features;
mod functions;
mod presets;
mod server;
mod statistics;
mod tables;
mod timezones;

use innkeeper_tests::TestHost;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value, json};

/// The row of a table that has this `id`, as the database file has it; `null` if there is none.
fn row(host: &TestHost, table: &str, id: &str) -> Value {
    let database = host.database();
    let mut statement = database.prepare(&format!("SELECT * FROM {table} WHERE id = ?1")).expect("a query");
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query([id]).expect("rows");
    let Some(row) = rows.next().expect("a row") else { return Value::Null };
    let mut found = Map::new();
    for (index, column) in columns.into_iter().enumerate() {
        let value = match row.get_ref(index).expect("a value") {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => number.into(),
            ValueRef::Real(number) => number.into(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
            ValueRef::Blob(bytes) => bytes.into(),
        };
        found.insert(column, value);
    }
    Value::Object(found)
}

/// Asserts that `actual` has these fields with these values.
fn assert_has(actual: &Value, expected: &Value) {
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&actual[field], value, "`{field}` of {actual}");
    }
}

/// Asserts that a task is refused for just these fields, as `field: code`, and that nothing of it is kept.
fn assert_refused(host: &TestHost, config: &Value, expected: &[&str]) {
    let answer = host.post("/v1/tasks", config);
    assert_eq!(answer.status, 422, "{config}: {answer:?}");
    let errors = answer.body["errors"].as_array().expect("errors");
    let text = |error: &Value, key: &str| error[key].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<_> =
        errors.iter().map(|error| format!("{}: {}", text(error, "field"), text(error, "code"))).collect();
    found.sort();
    assert_eq!(found, expected, "{config}");
    assert_eq!(host.get("/v1/tasks").body["items"], json!([]), "{config}");
}

/// Asserts that a value is a time in UTC with milliseconds, and gives it in milliseconds.
fn utc(value: &Value) -> i64 {
    let text = value.as_str().expect("a time");
    let time: innkeeper_model::time::Timestamp = text.parse().expect("an RFC 3339 time");
    assert_eq!(time.to_string(), text, "UTC with milliseconds");
    time.as_millis()
}

/// Waits until a task has at least `count` executions that have ended.
fn wait(host: &TestHost, task: &str, count: usize) {
    assert!(host.ended(task, count).len() >= count);
}

/// Pauses or resumes a task by the path of the verb.
fn control(host: &TestHost, path: &str) {
    let answer = host.post(path, &Value::Null);
    assert_eq!(answer.status, 200, "{answer:?}");
}
