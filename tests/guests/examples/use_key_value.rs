//! Does with a bucket what its data says, step by step, gives back what came of each step, and ends as it is told.

use std::thread;
use std::time::Duration;

use innkeeper_sdk::kv::{self, Bucket, Error};
use innkeeper_sdk::{Failure, handler, log};
use serde::Deserialize;
use serde_json::{Value, json};

/// Such as `{"bucket": "state", "steps": [["set", "key", "value"], ["get", "key"]]}`.
#[derive(Deserialize)]
struct Plan {
    bucket: String,
    steps: Vec<Vec<Value>>,
    /// `fail`, `trap` or `sleep`; else it succeeds.
    end: Option<String>,
}

#[handler]
#[expect(clippy::disallowed_methods, reason = "a guest that is to be cancelled waits inside the host")]
fn use_key_value(_event: Option<&str>, plan: Plan) -> Result<Value, Failure> {
    let bucket = match kv::open(&plan.bucket) {
        Ok(bucket) => bucket,
        Err(error) => return Ok(json!({"refused": error.to_string()})),
    };
    let mut results = Vec::new();
    for step in &plan.steps {
        let done = act(&bucket, step);
        results.push(done.unwrap_or_else(|error| json!({"refused": error.to_string()})));
    }
    match plan.end.as_deref() {
        Some("fail") => Err(Failure::retry("as its data says")),
        Some("trap") => panic!("as its data says"),
        Some("sleep") => loop {
            thread::sleep(Duration::from_millis(10));
        },
        _ => Ok(Value::Array(results)),
    }
}

fn act(bucket: &Bucket, step: &[Value]) -> Result<Value, Error> {
    let text = |index: usize| step.get(index).and_then(Value::as_str).unwrap_or_default();
    let key = text(1);
    match text(0) {
        "set" => bucket.set(key, text(2))?,
        "fill" => bucket.set(key, vec![b'x'; text(2).parse().unwrap_or(0)])?,
        // Sets that many keys, until one is refused.
        "keys" => {
            for number in 0..step[1].as_u64().unwrap_or(0) {
                bucket.set(&format!("{number}"), "")?;
            }
        }
        "delete" => bucket.delete(key)?,
        "get" => return Ok(shown(bucket.get(key)?)),
        "exists" => return Ok(bucket.exists(key)?.into()),
        "list" => return Ok(bucket.list(key)?.into()),
        "increment" => return Ok(bucket.increment(key, step[2].as_i64().unwrap_or(0))?.into()),
        // Adds to a text, so that nobody's addition is lost.
        "append" => while !append(bucket, key, text(2))? {},
        "log" => log::info!("{key}"),
        "wait" => wait(bucket, key)?,
        other => return Err(Error::Refused(format!("`{other}` is no step"))),
    }
    Ok(Value::Null)
}

/// Whether the key was still as it was looked at.
fn append(bucket: &Bucket, key: &str, text: &str) -> Result<bool, Error> {
    let seen = bucket.get(key)?;
    let new = [seen.as_deref().unwrap_or_default(), text.as_bytes()].concat();
    bucket.compare_and_swap(key, seen.as_deref(), new)
}

/// Waits until somebody else has set a key.
#[expect(clippy::disallowed_methods, reason = "the test says when to go on, by a key")]
fn wait(bucket: &Bucket, key: &str) -> Result<(), Error> {
    while !bucket.exists(key)? {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn shown(value: Option<Vec<u8>>) -> Value {
    value.map_or(Value::Null, |value| String::from_utf8_lossy(&value).into())
}
