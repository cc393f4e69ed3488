//! A host in this process whose sandbox tells when executions start.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use innkeeper_model::BoxFuture;
use innkeeper_model::clock::SystemClock;
use innkeeper_model::id::TenantId;
use innkeeper_model::sandbox::{Admission, Invocation, Refusal, Report, Sandbox, StopReason};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::upload::Upload;
use innkeeper_runner::{RunnerConfig, TaskRunner};
use innkeeper_sandbox::{SandboxConfig, WasmSandbox};
use innkeeper_store::{Durability, Location, Preset, Store};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};

/// Executions at once, unless a figure is about fewer.
pub(crate) const CONCURRENCY: u32 = 1024;

/// The host.
pub(crate) struct Host {
    pub(crate) runner: TaskRunner,
    pub(crate) tenant: TenantId,
    pub(crate) probe: Probe,
    pub(crate) directory: TempDir,
    pub(crate) starts: mpsc::UnboundedReceiver<Instant>,
}

/// The real sandbox, and beside it a count of what started and ended.
#[derive(Clone)]
pub(crate) struct Probe(Arc<Probed>);

struct Probed {
    inner: WasmSandbox,
    starts: mpsc::UnboundedSender<Instant>,
    /// Whose executions count; all, if nobody's do in particular.
    watched: OnceLock<TenantId>,
    ended: AtomicUsize,
    changed: Notify,
}

impl Sandbox for Probe {
    fn admit(&self, component: Upload) -> BoxFuture<Result<Admission, Refusal>> {
        self.0.inner.admit(component)
    }

    fn execute(&self, invocation: Invocation, stop: BoxFuture<StopReason>) -> BoxFuture<Report> {
        let counts = self.0.watched.get().is_none_or(|tenant| *tenant == invocation.tenant);
        if counts {
            // Nobody listens where only the end counts.
            let _unheard = self.0.starts.send(now());
        }
        let execution = self.0.inner.execute(invocation, stop);
        let probe = Arc::clone(&self.0);
        Box::pin(async move {
            let report = execution.await;
            probe.ended.fetch_add(usize::from(counts), Ordering::SeqCst);
            probe.changed.notify_waiters();
            report
        })
    }
}

impl Host {
    pub(crate) async fn start(directory: TempDir, concurrency: u32) -> Self {
        let config = SandboxConfig {
            concurrency,
            cache_dir: Some(directory.path().join("cache")),
            ..SandboxConfig::default()
        };
        let clock = Arc::new(SystemClock);
        let inner = WasmSandbox::new(config, Arc::clone(&clock) as _).expect("a sandbox");
        let (sender, starts) = mpsc::unbounded_channel();
        let (ended, changed, watched) = (AtomicUsize::new(0), Notify::new(), OnceLock::new());
        let probed = Probed { inner, starts: sender, watched, ended, changed };
        let probe = Probe(Arc::new(probed));
        let location = Location::File(directory.path().join("innkeeper.db"));
        let store = Store::open(&location, Durability::Full).expect("a store");
        let config = RunnerConfig { concurrency, ..RunnerConfig::default() };
        let sandbox: Arc<dyn Sandbox> = Arc::new(probe.clone());
        let runner = TaskRunner::start(config, store, sandbox, clock).await.expect("a runner");
        let host = Self { runner, tenant: TenantId::default_tenant(), probe, directory, starts };
        host.push_greeter().await;
        host
    }

    async fn push_greeter(&self) {
        let component = std::fs::read(env!("INNKEEPER_GREETER")).expect("the greeter is built");
        let name = "greeter".parse().expect("a name");
        self.runner.push_plugin(&self.tenant, name, component.into()).await.expect("the greeter is taken");
    }

    pub(crate) async fn create(&self, config: Value) {
        let config = TaskConfig::from_json(config).expect("a config of the right shape");
        self.runner.create_task(&self.tenant, config).await.expect("a valid task");
    }

    /// Has only executions of this tenant count from now on.
    pub(crate) fn watch(&self, tenant: &TenantId) {
        self.probe.0.watched.set(tenant.clone()).expect("nobody is watched yet");
    }

    /// How many executions have left the sandbox.
    pub(crate) fn count(&self) -> usize {
        self.probe.0.ended.load(Ordering::SeqCst)
    }

    /// Waits until so many executions in all have left the sandbox.
    pub(crate) async fn ended(&self, count: usize) {
        loop {
            let changed = self.probe.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.probe.0.ended.load(Ordering::SeqCst) >= count {
                return;
            }
            changed.await;
        }
    }

    /// Expects that nothing is queued or runs, once the last settlement is stored.
    pub(crate) async fn idle(&self) {
        // Settlements are stored in the order in which they come: what is written now comes after the last one.
        let marker =
            Preset { name: "@marker".to_owned(), description: String::new(), cron: "0 0 * * *".to_owned() };
        for _ in 0..1000 {
            self.runner.put_preset(marker.clone()).await.expect("a write");
            let stats = self.runner.stats(&self.tenant).await.expect("stats");
            if stats.queued_runs == 0 && stats.running_runs == 0 {
                return;
            }
        }
        panic!("something is left over");
    }
}

/// The time, for measuring.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
