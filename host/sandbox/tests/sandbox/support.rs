//! What every test here needs: invocations, stored components, and a host that notices when a guest runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use innkeeper_model::BoxFuture;
use innkeeper_model::clock::{Clock, ManualClock};
use innkeeper_model::execution::{Failure, FailureKind};
use innkeeper_model::id::{Digest, ExecutionId, RunId, TenantId};
use innkeeper_model::limits::Limits;
use innkeeper_model::sandbox::{
    Invocation, Outcome, Report, Sandbox as _, StateError, StateReader, StopReason, Unheard,
};
use innkeeper_model::time::Timestamp;
use innkeeper_model::trace::TraceContext;
use innkeeper_sandbox::{SandboxConfig, WasmSandbox};
use tokio::sync::oneshot;

/// In a component's text: what makes it one that has a handler, as far as names say.
pub const HANDLER: &str =
    r#"(instance $handler) (export "innkeeper:plugin/handler@0.1.0" (instance $handler))"#;

/// When every execution here starts.
pub const START: Timestamp = Timestamp::MIN;

/// A sandbox with few threads and a clock that stands still.
pub fn sandbox() -> WasmSandbox {
    sandbox_with(SandboxConfig::default())
}

pub fn sandbox_with(config: SandboxConfig) -> WasmSandbox {
    sandbox_at(config, Arc::new(ManualClock::new(Timestamp::from_millis(42_000))))
}

pub fn sandbox_at(config: SandboxConfig, clock: Arc<dyn Clock>) -> WasmSandbox {
    WasmSandbox::new(
        SandboxConfig { concurrency: config.concurrency.min(8), guest_threads: 2, ..config },
        clock,
    )
    .unwrap()
}

/// One stored component.
pub struct Stored {
    component: Option<Arc<[u8]>>,
    /// How often it was read.
    pub reads: AtomicUsize,
}

impl StateReader for Stored {
    fn component(&self, _: &TenantId, _: &Digest) -> BoxFuture<Result<Option<Arc<[u8]>>, StateError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let component = self.component.clone();
        Box::pin(async move { Ok(component) })
    }

    fn value(&self, _: &TenantId, _: &str, _: &str) -> BoxFuture<Result<Option<Vec<u8>>, StateError>> {
        Box::pin(async { Ok(None) })
    }

    fn keys(
        &self,
        _: &TenantId,
        _: &str,
        _: Option<&str>,
        _: u32,
    ) -> BoxFuture<Result<Vec<String>, StateError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

pub fn stored(component: Option<&[u8]>) -> Arc<Stored> {
    Arc::new(Stored { component: component.map(Arc::from), reads: AtomicUsize::new(0) })
}

/// An invocation of `component`, which is stored.
pub fn invocation(component: &[u8]) -> Invocation {
    Invocation {
        tenant: TenantId::default_tenant(),
        task_id: "user:task".parse().unwrap(),
        run_id: RunId::new(START, [1; 10]),
        execution_id: ExecutionId::new(START, [2; 10]),
        plugin: "guest".parse().unwrap(),
        digest: Digest::of(component),
        attempt: 1,
        max_attempts: 3,
        scheduled_at: None,
        started_at: START,
        metadata: None,
        trace: TraceContext::of_execution(
            None,
            RunId::new(START, [1; 10]),
            ExecutionId::new(START, [2; 10]),
            false,
        ),
        event: None,
        data: None,
        limits: Limits { fuel: 100_000_000, ..Limits::DEFAULT },
        event_data_bytes_max: 256 << 10,
        grants: Arc::default(),
        state: stored(Some(component)),
        progress: Arc::new(Unheard),
    }
}

/// Runs to the end, with nobody stopping it.
pub async fn run(sandbox: &WasmSandbox, invocation: Invocation) -> Report {
    sandbox.execute(invocation, Box::pin(std::future::pending())).await
}

/// Runs `component` with limits changed by `change`.
pub async fn run_within(sandbox: &WasmSandbox, component: &[u8], change: impl FnOnce(&mut Limits)) -> Report {
    let mut invocation = invocation(component);
    change(&mut invocation.limits);
    run(sandbox, invocation).await
}

/// The failure in `report`.
pub fn failure(report: &Report) -> &Failure {
    match &report.outcome {
        Outcome::Failure(failure) => failure,
        Outcome::Success(output) => panic!("it succeeded with {output:?}"),
    }
}

/// Asserts that the report is a failure of this kind and that its message contains `hint`.
pub fn assert_failed(report: &Report, kind: FailureKind, hint: &str) {
    let failure = failure(report);
    assert_eq!(failure.kind, kind, "{failure:?}");
    assert!(failure.message.contains(hint), "{failure:?}");
    assert!(report.effects.events.is_empty());
}

/// Asserts that the report is a success with this output.
pub fn assert_output(report: &Report, output: Option<&str>) {
    assert_eq!(report.outcome, Outcome::Success(output.map(str::to_owned)));
}

/// A clock that tells when it was first read: guests that log read it, so this is how a test knows that a guest runs.
pub struct FirstRead(Mutex<Option<oneshot::Sender<()>>>);

impl FirstRead {
    pub fn new() -> (Arc<Self>, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Arc::new(Self(Mutex::new(Some(sender)))), receiver)
    }
}

impl Clock for FirstRead {
    fn now(&self) -> Timestamp {
        if let Some(sender) = self.0.lock().unwrap().take() {
            sender.send(()).ok();
        }
        START
    }
}

/// A stop signal and what triggers it.
pub fn stop() -> (oneshot::Sender<StopReason>, BoxFuture<StopReason>) {
    let (sender, receiver) = oneshot::channel();
    (sender, Box::pin(async move { receiver.await.expect("the test stops it") }))
}

/// Waits for `future`, but not for ever.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), future).await.expect("it takes far too long")
}
