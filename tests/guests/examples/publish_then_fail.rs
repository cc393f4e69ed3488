//! Publishes an event that must never exist, because it then fails.

use innkeeper_sdk::{Failure, events, handler};

#[handler]
fn publish_then_fail() -> Result<(), Failure> {
    events::publish("should:never-exist", &())?;
    Err(Failure::retry("this guest always fails"))
}
