//! `innkeeper:plugin/context`: what a handler may know about its execution.

use std::sync::Arc;

use innkeeper_model::sandbox::Invocation;
use wasmtime::bail;
use wasmtime::component::{HasData, Linker};

use crate::bindings::innkeeper::plugin::context::{self, Execution};
use crate::state::State;

/// Borrows what is granted for one call.
pub(crate) struct View<'a>(Option<&'a Invocation>);

struct Context;

impl HasData for Context {
    type Data<'a> = View<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    context::add_to_linker::<State, Context>(linker, |state| View(state.enter().invocation.as_ref()))
}

impl context::Host for View<'_> {
    fn current(&mut self) -> wasmtime::Result<Execution> {
        match self.0 {
            Some(invocation) => Ok(execution(invocation)),
            None => bail!(
                "the plugin asked for its execution while it was being started: only the handler has one"
            ),
        }
    }

    fn traceparent(&mut self) -> Option<String> {
        self.0.map(|invocation| invocation.trace.traceparent())
    }

    fn progress(&mut self, fraction: f32, note: String) {
        if let Some(invocation) = self.0 {
            Arc::clone(&invocation.progress).report(invocation, fraction, &note);
        }
    }
}

fn execution(invocation: &Invocation) -> Execution {
    Execution {
        run_id: invocation.run_id.to_string(),
        execution_id: invocation.execution_id.to_string(),
        task_id: invocation.task_id.to_string(),
        attempt: invocation.attempt,
        max_attempts: invocation.max_attempts,
        scheduled_at: invocation.scheduled_at.map(|time| time.to_string()),
        started_at: invocation.started_at.to_string(),
        deadline: invocation.started_at.saturating_add(invocation.limits.timeout).to_string(),
        metadata: invocation.metadata.as_deref().map(str::to_owned),
        tenant: invocation.tenant.to_string(),
        plugin_digest: invocation.digest.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use context::Host as _;

    #[test]
    fn there_is_no_execution_while_a_component_is_tried() {
        let error = View(None).current().expect_err("nothing is executed");
        assert!(error.to_string().contains("only the handler has one"), "{error}");
        assert_eq!(View(None).traceparent(), None);
    }
}
