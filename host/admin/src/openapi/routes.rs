//! What each route does, one description each.

mod data;
mod declarations;
mod executions;
mod host;
mod plugins;
mod tasks;
mod tenants;

use serde_json::{Value, json};

use super::Draft;

/// Describes every route.
pub(super) fn add(draft: &mut Draft) {
    tasks::add(draft);
    executions::add(draft);
    plugins::add(draft);
    data::add(draft);
    declarations::add(draft);
    tenants::add(draft);
    host::add(draft);
}

/// What routes are about.
pub(super) fn tags() -> Value {
    json!([
        {"name": "tasks", "description": "What runs, when, and with what."},
        {"name": "events", "description": "Facts that start tasks, and what happens as it happens."},
        {"name": "executions", "description": "What ran, how it ended, and running it again."},
        {"name": "plugins", "description": "Handlers: WebAssembly components."},
        {"name": "data", "description": "Key-value data, configuration and secrets of handlers."},
        {"name": "declarations", "description": "All that a tenant has, declared and changed as one."},
        {"name": "tenants", "description": "Who uses this host, with which tokens, and what was changed."},
        {"name": "host", "description": "Schedules, figures and probes."},
    ])
}
