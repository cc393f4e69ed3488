//! The sandbox as the rest of the host sees it.

use std::sync::Arc;

use innkeeper_model::BoxFuture;
use innkeeper_model::clock::Clock;
use innkeeper_model::execution::{Failure, FailureKind};
use innkeeper_model::sandbox::{Admission, Invocation, Refusal, Report, Sandbox, SandboxFigures, StopReason};
use innkeeper_model::upload::Upload;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::Engine;

use crate::artifact::ArtifactCache;
use crate::capability::http::Network;
use crate::compile::Compiler;
use crate::config::SandboxConfig;
use crate::engine;
use crate::error::SandboxError;
use crate::execute;
use crate::inspect::Inspection;
use crate::plugins::Plugins;
use crate::processor::Processor;
use crate::state::Shared;
use crate::ticker::Ticker;

/// How many guests a thread runs before it looks at the timers that guests wait for.
const GUESTS_BETWEEN_TIMERS: u32 = 4;
/// How much guest threads give way: 0 is not at all, 19 is most. At 5 a thread has a third of an ordinary one's share.
#[cfg(target_os = "linux")]
const GUEST_NICENESS: i32 = 5;
/// Threads for compilations and artifact files.
const BLOCKING_THREADS: usize = 4;

/// Runs plugins. Cheap to share; when the last owner drops it, what still runs is ended within about 10 ms, and nobody waits
/// for that.
pub struct WasmSandbox {
    core: Arc<Core>,
    guests: Guests,
}

/// What every execution and admission needs.
pub(crate) struct Core {
    pub(crate) config: SandboxConfig,
    pub(crate) shared: Arc<Shared>,
    pub(crate) ticker: Ticker,
    pub(crate) compiler: Compiler,
    pub(crate) plugins: Plugins,
    /// One permit for each execution that the pool has room for.
    pub(crate) turns: Semaphore,
}

impl WasmSandbox {
    /// A sandbox with threads of its own. `clock` is what guests see as the time of day, and what log lines are dated with.
    ///
    /// # Errors
    /// A setting is out of range, the engine refuses the settings, a thread cannot be started, or the folder for
    /// compiled components cannot be used.
    pub fn new(config: SandboxConfig, clock: Arc<dyn Clock>) -> Result<Self, SandboxError> {
        check(&config)?;
        let settings = engine::config(&config);
        let engine = Engine::new(&settings).map_err(engine_error)?;
        let guests = Guests::start(config.guest_threads).map_err(SandboxError::Threads)?;
        let ticker = Ticker::start(engine.clone()).map_err(SandboxError::Threads)?;
        let artifacts = match config.cache_dir.clone() {
            Some(folder) => Some(ArtifactCache::open(folder, config.cache_bytes_max, &engine)?),
            None => None,
        };
        let network = Network::start(config.egress.clone()).map_err(SandboxError::Threads)?;
        let processor = Processor::new(config.guest_threads);
        let shared = Arc::new(Shared { engine, clock, network, processor });
        let threads = guests.threads.clone();
        let compiler = Compiler::new(&config, Arc::clone(&shared), artifacts, threads);
        let core = Core {
            compiler: compiler.map_err(engine_error)?,
            plugins: Plugins::new(config.loaded_bytes_max),
            turns: Semaphore::new(config.concurrency as usize),
            ticker,
            shared,
            config,
        };
        Ok(Self { core: Arc::new(core), guests })
    }
}

impl WasmSandbox {
    /// Admits a component and tells what was found in it.
    ///
    /// # Errors
    /// The component is refused, as [`Sandbox::admit`] would refuse it.
    pub async fn inspect(&self, component: Arc<[u8]>) -> Result<Inspection, Refusal> {
        let core = Arc::clone(&self.core);
        let inspection = on(self.guests.threads.clone(), async move { core.inspect(component).await });
        inspection.await.unwrap_or_else(|why| Err(not_tried(&why)))
    }
}

fn not_tried(why: &NotDone) -> Refusal {
    Refusal::DoesNotStart(format!("the component was not tried: {why}"))
}

impl Sandbox for WasmSandbox {
    fn admit(&self, component: Upload) -> BoxFuture<Result<Admission, Refusal>> {
        let core = Arc::clone(&self.core);
        let admission = on(self.guests.threads.clone(), async move { core.admit(component).await });
        Box::pin(async move { admission.await.unwrap_or_else(|why| Err(not_tried(&why))) })
    }

    fn execute(&self, invocation: Invocation, stop: BoxFuture<StopReason>) -> BoxFuture<Report> {
        let core = Arc::clone(&self.core);
        let report = on(self.guests.threads.clone(), async move { core.execute(invocation, stop).await });
        Box::pin(async move {
            report.await.unwrap_or_else(|why| {
                execute::not_run(match why {
                    NotDone::Closed => Failure::new(FailureKind::Interrupted, why.to_string()),
                    NotDone::Panicked => Failure::new(FailureKind::Unavailable, why.to_string()),
                })
            })
        })
    }

    fn figures(&self) -> SandboxFigures {
        let core = &self.core;
        let slots = u64::from(core.config.concurrency);
        let (plugins_loaded, plugins_loaded_bytes) = core.plugins.loaded();
        SandboxFigures {
            slots,
            slots_used: slots.saturating_sub(core.turns.available_permits() as u64),
            plugins_loaded,
            plugins_loaded_bytes,
            compilations: core.compiler.durations(),
        }
    }
}

/// Why a piece of work came to no end.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error("the sandbox was closed")]
    Closed,
    #[error("the host failed; its log says how")]
    Panicked,
}

impl From<JoinError> for NotDone {
    fn from(error: JoinError) -> Self {
        if error.is_panic() {
            tracing::error!("the sandbox panicked: {error}");
            return Self::Panicked;
        }
        Self::Closed
    }
}

/// Does `work` on the guests' threads once the result is asked for. The work ends when nobody waits for it any more.
async fn on<T: Send + 'static>(
    threads: Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, NotDone> {
    Ok(AbortOnDropHandle::new(threads.spawn(work)).await?)
}

fn check(config: &SandboxConfig) -> Result<(), SandboxError> {
    let counts = [
        ("concurrency", u64::from(config.concurrency)),
        ("guest_threads", config.guest_threads as u64),
        ("compilations", u64::from(config.compilations)),
        ("compile_limits.threads", config.compile_limits.threads as u64),
    ];
    for (field, value) in counts {
        if !(1..=1 << 16).contains(&value) {
            return Err(SandboxError::Config { field, value, remedy: "it must be 1 to 65536" });
        }
    }
    let value = config.memory_bytes_max;
    if !((64 << 10)..=(4 << 30)).contains(&value) {
        let remedy = "it must be 64 KiB to 4 GiB, written in bytes";
        return Err(SandboxError::Config { field: "memory_bytes_max", value, remedy });
    }
    Ok(())
}

/// The threads that run guests. Dropped without waiting for them, so that it can be done anywhere.
struct Guests {
    threads: Handle,
    runtime: Option<Runtime>,
}

impl Guests {
    fn start(threads: usize) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            // One more than compute at once: what only waits for its turn is to be heard.
            .worker_threads(threads + 1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("innkeeper-guest")
            .event_interval(GUESTS_BETWEEN_TIMERS)
            .on_thread_start(yield_to_the_host)
            .enable_all()
            .build()?;
        Ok(Self { threads: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Has the calling thread go behind the host's own: a computing guest must not delay the store, a timer or the API.
#[cfg(target_os = "linux")]
fn yield_to_the_host() {
    let thread = rustix::thread::gettid();
    // Linux keeps a priority per thread. Without it guests are merely less polite.
    if let Err(error) = rustix::process::setpriority_process(Some(thread), GUEST_NICENESS) {
        tracing::warn!(%error, "guest threads run at the host's priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn yield_to_the_host() {}

fn engine_error(error: wasmtime::Error) -> SandboxError {
    SandboxError::Engine(error.into())
}
