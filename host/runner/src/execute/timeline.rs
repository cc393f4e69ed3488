//! What is told of an execution to whoever collects traces.

use innkeeper_model::execution::FailureKind;
use innkeeper_model::trace::{SpanId, TraceContext};
use innkeeper_store::{Claimed, Settlement, Verdict};

use crate::spans::{Attribute, Span, about_run};
use crate::state::Shared;

/// The parts of an execution's span, in their order; the last one is what published events follow from.
const DISPATCH: u8 = 1;
const SANDBOX: u8 = 2;
const SETTLE: u8 = 3;

/// Where an execution stands in its trace.
pub(super) fn place(shared: &Shared, claimed: &Claimed) -> TraceContext {
    let is_told = shared.config.spans.is_some();
    TraceContext::of_execution(claimed.trace.as_ref(), claimed.run_id, claimed.execution_id, is_told)
}

/// What follows from the end of an execution stands below this.
pub(super) fn consequence(shared: &Shared, claimed: &Claimed) -> TraceContext {
    let own = place(shared, claimed);
    let settle = own.span_id.part(SETTLE);
    own.child(settle)
}

/// When the parts of an execution began.
pub(super) struct Timeline {
    context: TraceContext,
    entered_ns: u64,
    left_ns: u64,
}

impl Timeline {
    /// Begins when the execution enters the sandbox. `None` if nothing is told of it.
    pub(super) fn begin(shared: &Shared, context: &TraceContext) -> Option<Self> {
        let is_told = shared.config.spans.is_some() && context.is_sampled();
        is_told.then(|| {
            let entered_ns = shared.clock.unix_nanos();
            Self { context: context.clone(), entered_ns, left_ns: entered_ns }
        })
    }

    /// Notes that it has left the sandbox.
    pub(super) fn left_sandbox(&mut self, shared: &Shared) {
        self.left_ns = shared.clock.unix_nanos();
    }

    /// Tells of it, now that its end is stored.
    pub(super) fn end(self, shared: &Shared, claimed: &Claimed, settlement: &Settlement) {
        let Some(queue) = &shared.config.spans else { return };
        let end_ns = shared.clock.unix_nanos();
        let millis = u64::try_from(claimed.ready_at.as_millis()).unwrap_or(0);
        let ready_ns = millis.saturating_mul(1_000_000).min(self.entered_ns);
        let own = self.context.span_id;
        let span = |name, span_id, parent, start_ns, end_ns| Span {
            context: self.context.child(span_id),
            parent: Some(parent),
            name,
            is_server: false,
            start_ns,
            end_ns,
            attributes: about(claimed),
            error: None,
        };
        let cause =
            claimed.trace.as_ref().map_or_else(|| SpanId::of_run(claimed.run_id), |cause| cause.span_id);
        let mut whole = span("run.execute", own, cause, ready_ns, end_ns);
        let mut sandbox = span("run.sandbox", own.part(SANDBOX), own, self.entered_ns, self.left_ns);
        whole.attributes.extend(outcome(claimed, settlement));
        sandbox.attributes.push(("innkeeper.fuel", Attribute::number(settlement.receipt.fuel)));
        if let Verdict::Failure { error, .. } = &settlement.verdict {
            whole.error = Some(error.clone());
            sandbox.error = Some(error.clone());
        }
        let dispatch = span("run.dispatch", own.part(DISPATCH), own, ready_ns, self.entered_ns);
        let settle = span("run.settle", own.part(SETTLE), own, self.left_ns, end_ns);
        queue.offer([whole, dispatch, sandbox, settle]);
    }
}

fn about(claimed: &Claimed) -> Vec<(&'static str, Attribute)> {
    let mut attributes = about_run(&claimed.tenant, &claimed.task_id, claimed.run_id);
    attributes.push(("innkeeper.execution_id", Attribute::text(claimed.execution_id)));
    attributes
}

fn outcome(claimed: &Claimed, settlement: &Settlement) -> Vec<(&'static str, Attribute)> {
    let kind = match &settlement.verdict {
        Verdict::Success { .. } => None,
        Verdict::Failure { kind, .. } => Some(*kind),
    };
    vec![
        ("innkeeper.trigger", Attribute::text(claimed.trigger.as_str())),
        ("innkeeper.attempt", Attribute::number(claimed.attempt)),
        ("innkeeper.plugin", Attribute::text(&claimed.plugin)),
        ("innkeeper.plugin_digest", Attribute::text(claimed.digest)),
        ("innkeeper.outcome", Attribute::text(kind.map_or("success", FailureKind::as_str))),
    ]
}
