//! Gives back everything it was called with.

use innkeeper_sdk::{Failure, context, handler};
use serde_json::{Value, json};

#[handler]
fn echo(event: Option<String>, data: Option<Value>) -> Result<Value, Failure> {
    let execution = context::current();
    Ok(json!({
        "event": event,
        "data": data,
        "attempt": execution.attempt,
        "maxAttempts": execution.max_attempts,
        "runId": execution.run_id,
        "executionId": execution.execution_id,
        "taskId": execution.task_id,
        "scheduledAt": execution.scheduled_at,
        "startedAt": execution.started_at,
        "deadline": execution.deadline,
        "metadata": context::metadata::<Value>()?,
        "tenant": execution.tenant,
        "pluginDigest": execution.plugin_digest,
        "traceparent": context::traceparent(),
    }))
}
