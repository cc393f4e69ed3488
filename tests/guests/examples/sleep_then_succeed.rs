//! Waits for the milliseconds that its data names, publishes `slept`, and succeeds.

use std::thread;
use std::time::Duration;

use innkeeper_sdk::{Failure, events, handler};
use serde::Deserialize;
use serde_json::{Value, json};

/// Such as `{"ms": 100}`.
#[derive(Deserialize)]
struct Nap {
    ms: u64,
}

#[handler]
#[expect(clippy::disallowed_methods, reason = "waiting inside the host is what this guest is for")]
fn sleep_then_succeed(_event: Option<&str>, nap: Nap) -> Result<Value, Failure> {
    thread::sleep(Duration::from_millis(nap.ms));
    let slept = json!({"ms": nap.ms});
    events::publish("slept", &slept)?;
    Ok(slept)
}
