//! What an execution is told about itself where there is no `innkeeper:plugin/context`: names and values in text.

use innkeeper_model::sandbox::Invocation;

use super::Input;
use crate::state::State;

/// Names such as `run-id` with their values, what there is of them. Values are on one line.
pub(super) fn facts(state: &State, input: &Input) -> Vec<(&'static str, String)> {
    let Some(invocation) = &state.invocation else { return Vec::new() };
    let mut facts = fixed(invocation);
    if let Some(event) = &input.event {
        facts.push(("event", event.clone()));
    }
    if let Some(scheduled_at) = invocation.scheduled_at {
        facts.push(("scheduled-at", scheduled_at.to_string()));
    }
    if let Some(metadata) = &invocation.metadata {
        // JSON has control characters between its tokens only, where a space does as well.
        facts.push(("metadata", metadata.replace(|character: char| character.is_control(), " ")));
    }
    facts
}

fn fixed(invocation: &Invocation) -> Vec<(&'static str, String)> {
    vec![
        ("run-id", invocation.run_id.to_string()),
        ("execution-id", invocation.execution_id.to_string()),
        ("task-id", invocation.task_id.to_string()),
        ("attempt", invocation.attempt.to_string()),
        ("max-attempts", invocation.max_attempts.to_string()),
        ("started-at", invocation.started_at.to_string()),
        ("deadline", invocation.started_at.saturating_add(invocation.limits.timeout).to_string()),
        ("tenant", invocation.tenant.to_string()),
        ("plugin-digest", invocation.digest.to_string()),
    ]
}

/// The facts as environment variables, such as `INNKEEPER_RUN_ID`.
pub(super) fn environment(state: &State, input: &Input) -> Vec<(String, String)> {
    let variable = |name: &str| format!("INNKEEPER_{}", name.replace('-', "_").to_uppercase());
    let ours = facts(state, input).into_iter().map(|(name, value)| (variable(name), value));
    let trace = trace(state).into_iter().map(|(name, value)| (name.to_uppercase(), value));
    ours.chain(trace).collect()
}

/// Where the execution stands in a trace, by the names that W3C Trace Context gives to header fields.
pub(super) fn trace(state: &State) -> Vec<(&'static str, String)> {
    let Some(invocation) = &state.invocation else { return Vec::new() };
    let trace = &invocation.trace;
    let mut fields = vec![("traceparent", trace.traceparent())];
    fields.extend(trace.tracestate().map(|state| ("tracestate", state.to_owned())));
    fields
}
