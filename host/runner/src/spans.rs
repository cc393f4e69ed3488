//! What is told of the way of a run to whoever collects traces: spans, in a queue of bounded length.
//!
//! Nothing is made, and no time is taken, unless the host has such a queue and the trace is one that is recorded. A queue that
//! nobody empties fills up, and then spans are dropped and counted; nobody waits for it.

mod request;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use innkeeper_model::id::{RunId, TaskId, TenantId};
use innkeeper_model::measure::Counter;
use innkeeper_model::trace::{SpanId, TraceContext, TraceId};
use tokio::sync::Notify;

use crate::state::Shared;

pub use self::request::RequestSpan;

/// Something that took time, as part of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its place.
    pub context: TraceContext,
    /// What it is a part of, or follows from; `None` for the first of a trace.
    pub parent: Option<SpanId>,
    /// What it is: one of a few words.
    pub name: &'static str,
    /// Whether it stands for a request that the host answers.
    pub is_server: bool,
    /// When it began, in nanoseconds since 1970.
    pub start_ns: u64,
    /// When it ended, likewise.
    pub end_ns: u64,
    /// What it is about.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// What went wrong, if something did.
    pub error: Option<String>,
}

/// A value that says what a span is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

impl Attribute {
    pub(crate) fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    pub(crate) fn number(number: impl TryInto<i64>) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }
}

/// What became of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanFigures {
    /// Spans that a collector has taken.
    pub exported: u64,
    /// Spans that no collector took.
    pub failed: u64,
    /// Spans for which there was no room in the queue.
    pub dropped: u64,
}

/// Spans that wait to be exported; clones share them.
#[derive(Clone)]
pub struct SpanQueue(Arc<Waiting>);

struct Waiting {
    spans: Mutex<VecDeque<Span>>,
    max: usize,
    news: Notify,
    exported: Counter,
    failed: Counter,
    dropped: Counter,
}

impl SpanQueue {
    /// A queue in which at most `max` spans wait.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Waiting {
            spans: Mutex::default(),
            max,
            news: Notify::new(),
            exported: Counter::default(),
            failed: Counter::default(),
            dropped: Counter::default(),
        }))
    }

    /// Puts spans into the queue, as many as there is room for.
    pub fn offer(&self, spans: impl IntoIterator<Item = Span>) {
        let mut waiting = self.lock();
        for span in spans {
            if waiting.len() < self.0.max {
                waiting.push_back(span);
            } else {
                self.0.dropped.increment();
            }
        }
        drop(waiting);
        self.0.news.notify_one();
    }

    /// Takes the spans that have waited for longest, at most `max`.
    #[must_use]
    pub fn take(&self, max: usize) -> Vec<Span> {
        let mut waiting = self.lock();
        let count = waiting.len().min(max);
        waiting.drain(..count).collect()
    }

    /// How many spans wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Resolves when spans have been put into the queue since it did last.
    pub async fn news(&self) {
        self.0.news.notified().await;
    }

    /// Notes what became of spans that were taken.
    pub fn note(&self, exported: usize, failed: usize) {
        self.0.exported.add(exported as u64);
        self.0.failed.add(failed as u64);
    }

    /// What became of spans so far.
    #[must_use]
    pub fn figures(&self) -> SpanFigures {
        let waiting = &self.0;
        let (exported, failed, dropped) =
            (waiting.exported.get(), waiting.failed.get(), waiting.dropped.get());
        SpanFigures { exported, failed, dropped }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.0.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SpanQueue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SpanQueue(..)")
    }
}

/// The recording of something while it goes on: an event, a start, due times.
pub(crate) struct Recording {
    /// What the runs that are made follow from; `None` if a trace begins with each of them.
    pub(crate) trace: Option<TraceContext>,
    /// The span that it follows from itself; of use only if it is told.
    parent: Option<SpanId>,
    start_ns: u64,
}

/// A run that was recorded.
pub(crate) type RecordedRun<'a> = (&'a TenantId, &'a TaskId, RunId);

impl Recording {
    /// Begins to record what follows from `cause`.
    pub(crate) fn begin(shared: &Shared, cause: Option<TraceContext>) -> Self {
        if shared.config.spans.is_none() {
            return Self { trace: cause, parent: None, start_ns: 0 };
        }
        let start_ns = shared.clock.unix_nanos();
        let Some(cause) = cause.as_ref().filter(|cause| cause.is_sampled()) else {
            return Self { trace: cause, parent: None, start_ns };
        };
        let own = shared.ids.next(|_, random| SpanId::from_bytes(last(random)));
        Self { trace: Some(cause.child(own)), parent: Some(cause.span_id), start_ns }
    }

    /// Tells that it is done: in one span, or in one for each run if a trace begins with it.
    pub(crate) fn end<'a>(
        self,
        shared: &Shared,
        tenant: Option<&TenantId>,
        runs: impl Iterator<Item = RecordedRun<'a>>,
    ) {
        let Some(queue) = &shared.config.spans else { return };
        let end_ns = shared.clock.unix_nanos();
        let span = |context, parent, attributes| Span {
            context,
            parent,
            name: "run.record",
            is_server: false,
            start_ns: self.start_ns,
            end_ns,
            attributes,
            error: None,
        };
        let Some(context) = self.trace else {
            queue.offer(runs.map(|(tenant, task, run)| {
                let context = TraceContext::new(TraceId::of_run(run), SpanId::of_run(run), true);
                span(context, None, about_run(tenant, task, run))
            }));
            return;
        };
        let Some(parent) = self.parent else { return };
        let mut attributes = vec![("innkeeper.runs", Attribute::number(runs.count()))];
        attributes.extend(tenant.map(|tenant| ("innkeeper.tenant", Attribute::text(tenant))));
        queue.offer([span(context, Some(parent), attributes)]);
    }
}

/// What says which run a span is about.
pub(crate) fn about_run(tenant: &TenantId, task: &TaskId, run: RunId) -> Vec<(&'static str, Attribute)> {
    vec![
        ("innkeeper.tenant", Attribute::text(tenant)),
        ("innkeeper.task_id", Attribute::text(task)),
        ("innkeeper.run_id", Attribute::text(run)),
    ]
}

/// The bytes that are nothing but random.
pub(crate) fn last(random: [u8; 10]) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&random[2..]);
    bytes
}

#[cfg(test)]
mod tests {
    use innkeeper_model::time::Timestamp;

    use super::*;

    fn span(name: &'static str) -> Span {
        let run = RunId::new(Timestamp::from_millis(1), [1; 10]);
        let context = TraceContext::new(TraceId::of_run(run), SpanId::of_run(run), true);
        let (start_ns, end_ns) = (1, 2);
        let attributes = vec![("a", Attribute::number(usize::MAX))];
        Span { context, parent: None, name, is_server: false, start_ns, end_ns, attributes, error: None }
    }

    #[tokio::test]
    async fn what_has_no_room_is_dropped_and_counted() {
        let queue = SpanQueue::new(2);
        queue.offer([span("first"), span("second"), span("third")]);
        queue.news().await;
        let taken: Vec<_> = queue.take(1).iter().map(|span| span.name).collect();
        assert_eq!((taken, queue.len()), (vec!["first"], 1));
        queue.offer([span("fourth")]);
        assert_eq!(queue.take(9).iter().map(|span| span.name).collect::<Vec<_>>(), ["second", "fourth"]);
        queue.note(2, 1);
        assert_eq!(queue.figures(), SpanFigures { exported: 2, failed: 1, dropped: 1 });
        assert!(queue.is_empty());
    }
}
