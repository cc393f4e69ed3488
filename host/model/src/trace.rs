//! Where things stand in a trace, as W3C Trace Context writes it.
//!
//! Identifiers of what has none of its own in a trace follow from the identifiers of runs and executions, so that nothing need
//! be stored for a run that nobody else's trace led to.

mod headers;
mod state;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::id::{ExecutionId, RunId};

/// Which trace: 16 bytes that are not all zero. Written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// Which span of a trace: 8 bytes that are not all zero. Written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// Sets the identifiers of a run's span and of its executions' apart.
const OF_RUN: u64 = 0x7275_6e00;
const OF_EXECUTION: u64 = 0x6578_6563;

impl TraceId {
    /// The trace that begins with a run: its id is the run's.
    #[must_use]
    pub fn of_run(run: RunId) -> Self {
        Self(*run.as_uuid().as_bytes())
    }
}

impl SpanId {
    /// A span with these bytes; of zeros, which mean no span, another one.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes).max(1).to_be_bytes())
    }

    /// The span in which a run that begins a trace is recorded.
    #[must_use]
    pub fn of_run(run: RunId) -> Self {
        Self::mixed(low(run.as_uuid().as_bytes()) ^ OF_RUN)
    }

    /// The span of an execution.
    #[must_use]
    pub fn of_execution(execution: ExecutionId) -> Self {
        Self::mixed(low(execution.as_uuid().as_bytes()) ^ OF_EXECUTION)
    }

    /// The span of a part of this one; each number names another part.
    #[must_use]
    pub fn part(self, number: u8) -> Self {
        Self::mixed(u64::from_be_bytes(self.0).wrapping_add(u64::from(number)))
    }

    /// Scatters: different numbers become different ones (the last step of `SplitMix64`, which can be undone).
    fn mixed(number: u64) -> Self {
        let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self::from_bytes((mixed ^ (mixed >> 31)).to_be_bytes())
    }
}

/// The half of a UUID of version 7 that is random.
fn low(bytes: &[u8; 16]) -> u64 {
    let mut half = [0; 8];
    half.copy_from_slice(&bytes[8..]);
    u64::from_be_bytes(half)
}

/// A place in a trace: a span, and what is handed on beside it to whatever follows from it.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    flags: u8,
    state: Option<Arc<str>>,
}

/// Whoever began the trace records it, and wants others to.
const SAMPLED: u8 = 1;
/// The trace's identifier was made by chance.
const RANDOM: u8 = 2;

impl TraceContext {
    /// A place in a trace that begins here.
    #[must_use]
    pub fn new(trace_id: TraceId, span_id: SpanId, is_sampled: bool) -> Self {
        Self { trace_id, span_id, flags: u8::from(is_sampled), state: None }
    }

    /// The place of an execution: below what led to its run, or else in the trace that begins with the run. `is_sampled` says
    /// whether that one is to be recorded.
    #[must_use]
    pub fn of_execution(cause: Option<&Self>, run: RunId, execution: ExecutionId, is_sampled: bool) -> Self {
        let span_id = SpanId::of_execution(execution);
        match cause {
            Some(cause) => cause.child(span_id),
            None => Self::new(TraceId::of_run(run), span_id, is_sampled),
        }
    }

    /// The place of another span of the same trace.
    #[must_use]
    pub fn child(&self, span_id: SpanId) -> Self {
        Self { span_id, ..self.clone() }
    }

    /// Whether the trace is to be recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The value of the header `traceparent` for whatever follows from here.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }

    /// The value of the header `tracestate`, if there is one.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

/// As it is stored: the value of `traceparent`, and after a space that of `tracestate` if there is one.
impl fmt::Display for TraceContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)?;
        self.state.as_ref().map_or(Ok(()), |state| write!(out, " {state}"))
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TraceContext({self})")
    }
}

/// The text is not a place in a trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a trace context such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
pub struct InvalidTraceContext(String);

impl FromStr for TraceContext {
    type Err = InvalidTraceContext;

    fn from_str(text: &str) -> Result<Self, InvalidTraceContext> {
        let (parent, state) =
            text.split_once(' ').map_or((text, None), |(parent, state)| (parent, Some(state)));
        let context = headers::parse(parent.as_bytes());
        let context = context.ok_or_else(|| InvalidTraceContext(text.chars().take(80).collect()))?;
        Ok(Self { state: state.map(Arc::from), ..context })
    }
}

macro_rules! hexadecimal {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

hexadecimal!(TraceId);
hexadecimal!(SpanId);

impl FromStr for TraceId {
    type Err = InvalidTraceContext;

    fn from_str(text: &str) -> Result<Self, InvalidTraceContext> {
        let bytes = headers::bytes(text.as_bytes());
        bytes.map(Self).ok_or_else(|| InvalidTraceContext(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::time::Timestamp;

    fn run(number: u8) -> RunId {
        RunId::new(Timestamp::from_millis(1), [number; 10])
    }

    #[test]
    fn a_run_that_nothing_led_to_begins_a_trace_of_its_own() {
        let execution = ExecutionId::new(Timestamp::from_millis(1), [1; 10]);
        let own = TraceContext::of_execution(None, run(1), execution, false);
        assert_eq!(own.trace_id.to_string(), run(1).to_string().replace('-', ""));
        assert!(!own.is_sampled() && own.traceparent().ends_with("-00"), "{own}");
        let cause: TraceContext =
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 a=1".parse().expect("a context");
        let below = TraceContext::of_execution(Some(&cause), run(1), execution, false);
        assert_eq!((below.trace_id, below.span_id), (cause.trace_id, own.span_id));
        assert_eq!((below.is_sampled(), below.tracestate()), (true, Some("a=1")));
        assert_eq!(cause.to_string().parse(), Ok(cause));
    }

    #[test]
    fn spans_of_one_trace_are_told_apart() {
        let mut spans = BTreeSet::new();
        for number in 0..200 {
            let execution = ExecutionId::new(Timestamp::from_millis(1), [number; 10]);
            let own = SpanId::of_execution(execution);
            for span in [SpanId::of_run(run(number)), own, own.part(1), own.part(2), own.part(3)] {
                assert!(spans.insert(span.to_string()), "{number}");
            }
        }
        assert_eq!(SpanId::from_bytes([0; 8]).to_string(), "0000000000000001");
    }
}
