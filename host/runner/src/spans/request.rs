//! Requests from which runs follow, as spans: whoever answers a request begins one, and hands its place on.

use innkeeper_model::id::RunId;
use innkeeper_model::trace::{SpanId, TraceContext, TraceId};

use crate::spans::{Attribute, Span, last};
use crate::task_runner::TaskRunner;

/// A request that is being answered.
#[derive(Debug)]
pub struct RequestSpan {
    context: Option<TraceContext>,
    /// When it began and what it follows from, if it is told.
    told: Option<(u64, Option<SpanId>)>,
}

impl TaskRunner {
    /// Begins to answer a request that comes from `caller`. Nothing is told of it unless spans are exported, and the caller,
    /// if there is one, records its trace.
    #[must_use]
    pub fn begin_request(&self, caller: Option<TraceContext>) -> RequestSpan {
        let shared = &self.0;
        let is_told = shared.config.spans.is_some() && caller.as_ref().is_none_or(TraceContext::is_sampled);
        if !is_told {
            return RequestSpan { context: caller, told: None };
        }
        let own = shared.ids.next(|_, random| SpanId::from_bytes(last(random)));
        let parent = caller.as_ref().map(|caller| caller.span_id);
        let context = match caller {
            Some(caller) => caller.child(own),
            // An identifier of that form, for a trace and not for a run.
            None => TraceContext::new(TraceId::of_run(shared.ids.next(RunId::new)), own, true),
        };
        RequestSpan { context: Some(context), told: Some((shared.clock.unix_nanos(), parent)) }
    }

    /// Tells of a request that it has been answered, with this status.
    pub fn end_request(&self, request: RequestSpan, method: &str, route: &str, status: u16) {
        let (Some(queue), Some(context), Some((start_ns, parent))) =
            (&self.0.config.spans, request.context, request.told)
        else {
            return;
        };
        let attributes = vec![
            ("http.request.method", Attribute::text(method)),
            ("http.route", Attribute::text(route)),
            ("http.response.status_code", Attribute::number(status)),
        ];
        queue.offer([Span {
            context,
            parent,
            name: "http.request",
            is_server: true,
            start_ns,
            end_ns: self.0.clock.unix_nanos(),
            attributes,
            error: (status >= 500).then(|| format!("answered with {status}")),
        }]);
    }
}

impl RequestSpan {
    /// What follows from the request stands below this; `None` if nobody said anything.
    #[must_use]
    pub fn context(&self) -> Option<&TraceContext> {
        self.context.as_ref()
    }
}
