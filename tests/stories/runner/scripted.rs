//! A sandbox that does as it is told.

use std::sync::{Arc, Mutex};

use innkeeper_model::BoxFuture;
use innkeeper_model::execution::{Failure, FailureKind, Receipt};
use innkeeper_model::sandbox::{
    Admission, Effects, Invocation, KeyValueWrite, Outcome, PublishedEvent, Refusal, Report, Sandbox,
    StopReason,
};
use innkeeper_model::upload::Upload;

/// What an execution does.
#[derive(Debug, Clone)]
pub enum Act {
    /// It succeeds and publishes these events.
    Succeed(Vec<&'static str>),
    /// It succeeds and publishes an event with so many bytes of data.
    Tell(&'static str, usize),
    /// It fails in this way.
    Fail(FailureKind),
    /// It succeeds with this write.
    Write(KeyValueWrite),
    /// It runs until it is stopped.
    Hang,
    /// It runs until it is stopped, and then succeeds all the same and publishes these events.
    SucceedWhenStopped(Vec<&'static str>),
}

/// Does for every execution what `script` says.
pub struct Scripted {
    script: Box<dyn Fn(&Invocation) -> Act + Send + Sync>,
    seen: Mutex<Vec<Invocation>>,
}

impl Scripted {
    pub fn new(script: impl Fn(&Invocation) -> Act + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { script: Box::new(script), seen: Mutex::default() })
    }

    /// Every invocation so far.
    pub fn seen(&self) -> Vec<Invocation> {
        self.seen.lock().expect("no execution panics").clone()
    }
}

impl Sandbox for Scripted {
    fn admit(&self, component: Upload) -> BoxFuture<Result<Admission, Refusal>> {
        Box::pin(async move {
            Ok(Admission { digest: component.digest(), handler: "plugin".to_owned(), imports: Vec::new() })
        })
    }

    fn execute(&self, invocation: Invocation, stop: BoxFuture<StopReason>) -> BoxFuture<Report> {
        let act = (self.script)(&invocation);
        self.seen.lock().expect("no execution panics").push(invocation);
        Box::pin(async move {
            let mut writes = Vec::new();
            let mut data = None;
            let (outcome, events) = match act {
                Act::Write(write) => {
                    writes.push(write);
                    (Outcome::Success(None), Vec::new())
                }
                Act::Succeed(events) => (Outcome::Success(None), events),
                Act::Tell(event, bytes) => {
                    data = Some(format!("\"{}\"", "x".repeat(bytes.saturating_sub(2))));
                    (Outcome::Success(None), vec![event])
                }
                Act::Fail(kind) => (Outcome::Failure(Failure::new(kind, "as the script says")), Vec::new()),
                Act::SucceedWhenStopped(events) => {
                    let _reason = stop.await;
                    (Outcome::Success(None), events)
                }
                Act::Hang => (Outcome::Failure(stopped(stop.await)), Vec::new()),
            };
            let publish = |name: &str| PublishedEvent {
                event: name.parse().expect("an event name"),
                data: data.clone(),
            };
            let events = events.into_iter().map(publish).collect();
            let effects = Effects { events, writes };
            Report { outcome, effects, logs: Vec::new(), receipt: Receipt::default() }
        })
    }
}

fn stopped(reason: StopReason) -> Failure {
    let kind = match reason {
        StopReason::Cancelled => FailureKind::Cancelled,
        StopReason::Interrupted => FailureKind::Interrupted,
    };
    Failure::new(kind, "stopped")
}
