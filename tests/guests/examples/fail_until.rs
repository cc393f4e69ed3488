//! Fails in a way that may be tried again until the attempt that its data or the task's metadata names.

use innkeeper_sdk::{Failure, context, handler};
use serde::Deserialize;
use serde_json::{Value, json};

/// Such as `{"succeedAt": 3}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    succeed_at: u32,
}

#[handler]
fn fail_until(_event: Option<&str>, data: Option<Plan>) -> Result<Value, Failure> {
    let plan = data.map_or_else(context::metadata::<Plan>, Ok)?;
    let attempt = context::current().attempt;
    if attempt < plan.succeed_at {
        return Err(Failure::retry(format!("attempt {attempt} fails until {}", plan.succeed_at)));
    }
    Ok(json!({"attempt": attempt}))
}
