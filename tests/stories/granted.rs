//! Hosts on which plugins have grants.

use innkeeper_tests::TestHost;
use rusqlite::Connection;
use serde_json::{Value, json};

/// A host with these plugins, each with the component at a path, and with what is granted to it.
pub fn host_with(plugins: &[(&str, &str, Value)]) -> TestHost {
    let host = TestHost::start();
    for (name, component, _) in plugins {
        host.push(name, component);
    }
    let directory = host.stop();
    let database = Connection::open(directory.path().join("innkeeper.db")).expect("the database opens");
    for (name, _, grants) in plugins {
        let sql = "UPDATE plugins SET grants = ?2 WHERE name = ?1";
        assert_eq!(database.execute(sql, (name, grants.to_string())).expect("a valid query"), 1);
    }
    drop(database);
    TestHost::start_in(directory)
}

/// A host whose plugin `kv` uses the bucket `state`.
pub fn host_with_bucket() -> TestHost {
    host_with(&[("kv", crate::components::USE_KEY_VALUE, json!({"keyValue": ["state"]}))])
}

/// Runs the plugin `kv` once, as the task `id`, with these steps; the execution.
pub fn run_steps(host: &TestHost, id: &str, steps: &Value) -> Value {
    host.run_once(&json!({"id": id, "plugin": "kv"}), &json!({"bucket": "state", "steps": steps}))
}

/// The value under a key of the bucket `state`, as text.
pub fn value(host: &TestHost, key: &str) -> Option<String> {
    let sql = "SELECT value FROM kv WHERE tenant = 'default' AND bucket = 'state' AND key = ?1";
    let found = host.database().query_row(sql, [key], |row| row.get::<_, Vec<u8>>(0));
    found.ok().map(|value| String::from_utf8(value).expect("text"))
}

/// Sets a value of the bucket `state`, as a client does.
pub fn set(host: &TestHost, key: &str, value: &str) {
    let answer = host.put(&format!("/v1/kv/state/{key}"), "text/plain", value.as_bytes());
    assert!(matches!(answer.status, 201 | 204), "{answer:?}");
}

/// The lines of an execution's log.
pub fn log_of(host: &TestHost, execution: &Value) -> Vec<String> {
    let path = format!("/v1/executions/{}/logs", execution["id"].as_str().expect("an id"));
    let answer = host.get(&path);
    let lines = answer.body["items"].as_array().cloned().unwrap_or_default();
    lines.iter().map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
}
