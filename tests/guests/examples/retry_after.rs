//! Asks to be tried again no sooner than after the milliseconds that the task's metadata names.

use std::time::Duration;

use innkeeper_sdk::{Failure, context, handler};
use serde::Deserialize;

/// Such as `{"ms": 60000}`.
#[derive(Deserialize)]
struct Wait {
    ms: u64,
}

#[handler]
fn retry_after() -> Result<(), Failure> {
    let wait = context::metadata::<Wait>()?;
    Err(Failure::retry_after(Duration::from_millis(wait.ms), format!("not before {} ms", wait.ms)))
}
