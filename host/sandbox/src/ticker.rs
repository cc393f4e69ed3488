//! The thread that ticks the engine's epoch and keeps the deadlines.
//!
//! It runs no guest code, so a busy guest cannot delay it. It sleeps for good while nothing is executed.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use wasmtime::Engine;

/// How long a guest runs before it gives way to others and notices that it is to stop.
const TICK: Duration = Duration::from_millis(10);

/// A running ticker. Its thread ends some time after this is dropped: when the last execution is over.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    timers: Handle,
}

struct Shared {
    engine: Engine,
    active: AtomicUsize,
    closing: AtomicBool,
    wake: Notify,
}

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engine: Engine) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let timers = runtime.handle().clone();
        let shared = Arc::new(Shared {
            engine,
            active: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            wake: Notify::new(),
        });
        let ticking = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("innkeeper-ticker".to_owned())
            .spawn(move || runtime.block_on(ticking.tick()))?;
        Ok(Self { shared, timers })
    }

    /// Keeps the epoch ticking until the guard is dropped.
    pub(crate) fn activity(&self) -> Activity {
        if self.shared.active.fetch_add(1, Ordering::AcqRel) == 0 {
            self.shared.wake.notify_one();
        }
        Activity(Arc::clone(&self.shared))
    }

    /// Resolves after `duration`, on this thread's clock. Needs an [`Activity`] for as long as it is waited for.
    pub(crate) fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + use<> {
        let _timers = self.timers.enter();
        tokio::time::sleep(duration)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.wake.notify_one();
    }
}

/// Something that runs guest code.
pub(crate) struct Activity(Arc<Shared>);

impl Drop for Activity {
    fn drop(&mut self) {
        let last = self.0.active.fetch_sub(1, Ordering::AcqRel) == 1;
        if last && self.0.closing.load(Ordering::Acquire) {
            self.0.wake.notify_one();
        }
    }
}

impl Shared {
    async fn tick(&self) {
        loop {
            while self.active.load(Ordering::Acquire) == 0 {
                // A host that is going down still ticks while a guest runs: the tick is what ends that guest.
                if self.closing.load(Ordering::Acquire) {
                    return;
                }
                self.wake.notified().await;
            }
            tokio::time::sleep(TICK).await;
            self.engine.increment_epoch();
        }
    }
}
