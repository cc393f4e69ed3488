//! One execution, from an invocation to a report.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::BoxFuture;
use innkeeper_model::execution::{Failure, Receipt};
use innkeeper_model::sandbox::{Effects, Invocation, Outcome, Report, StopReason};
use innkeeper_model::upload::Upload;
use wasmtime::Store;

use crate::classify::{self, Ended};
use crate::compile::Plugin;
use crate::handler::Input;
use crate::measure::{Stopwatch, micros};
use crate::processor::Slot;
use crate::sandbox::Core;
use crate::state::{self, State};

impl Core {
    /// Runs one execution to its end.
    pub(crate) async fn execute(&self, invocation: Invocation, mut stop: BoxFuture<StopReason>) -> Report {
        let ready = async {
            let plugin = self.load(&invocation).await?;
            // The semaphore is never closed. Waiting here is back-pressure: it uses up no limit.
            let place = self.turns.acquire().await.ok();
            let turn = self.shared.processor.enter(&invocation.tenant).await;
            Ok((plugin, place, turn))
        };
        let ready = tokio::select! {
            biased;
            reason = &mut stop => Err(classify::stopped(reason)),
            ready = ready => ready,
        };
        match ready {
            Ok((plugin, _place, turn)) => self.run(&plugin, invocation, turn, stop).await,
            Err(failure) => not_run(failure),
        }
    }

    /// The plugin version, from memory, else from the artifact cache, else compiled from its stored bytes.
    async fn load(&self, invocation: &Invocation) -> Result<Arc<Plugin>, Failure> {
        let digest = &invocation.digest;
        let cell = self.plugins.cell(digest);
        if let Some(plugin) = cell.get() {
            return Ok(Arc::clone(plugin));
        }
        let loaded = cell.get_or_try_init(|| self.load_stored(invocation)).await.cloned();
        match &loaded {
            Ok(_) => self.plugins.shrink(),
            Err(_) => self.plugins.forget_empty(digest),
        }
        loaded
    }

    async fn load_stored(&self, invocation: &Invocation) -> Result<Arc<Plugin>, Failure> {
        let Invocation { digest, plugin: name, tenant, .. } = invocation;
        let unavailable =
            |why: &str| classify::unavailable(&format!("version {digest} of plugin `{name}` {why}"));
        let refused = |refusal| unavailable(&format!("cannot be run any more: {refusal}"));
        if let Some(component) = self.compiler.restore(*digest).await {
            return self.compiler.link(&component).map(Arc::new).map_err(refused);
        }
        let stored = invocation.state.component(tenant, digest).await;
        let bytes = stored
            .map_err(|error| unavailable(&format!("could not be read: {error}")))?
            .ok_or_else(|| unavailable("is gone: it was deleted after the run was recorded"))?;
        let upload = Upload::from(bytes);
        if upload.digest() != *digest {
            return Err(unavailable("is damaged: its stored bytes have another digest"));
        }
        let compiled = self.compiler.compile(upload).await.map_err(refused)?;
        drop(compiled.turn);
        let plugin = self.compiler.link(&compiled.component).map_err(refused)?;
        self.compiler.keep(*digest, compiled.artifact).await;
        Ok(Arc::new(plugin))
    }

    async fn run(
        &self,
        plugin: &Plugin,
        mut invocation: Invocation,
        turn: Slot,
        stop: BoxFuture<StopReason>,
    ) -> Report {
        let watch = Stopwatch::start();
        let _activity = self.ticker.activity();
        let input = Input { event: invocation.event.take(), data: invocation.data.take() };
        let limits = invocation.limits;
        let mut state =
            State::new(Arc::clone(&self.shared), Some(invocation), limits, self.config.memory_bytes_max);
        state.turn = turn;
        let mut store = match state::store(state) {
            Ok(store) => store,
            Err(error) => {
                return not_run(classify::unavailable(&format!("there is no room to run it: {error:#}")));
            }
        };
        let (ended, busy) = self.drive(plugin, &mut store, &input, limits.timeout, stop).await;
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let state = store.into_data();
        report(ended, state, fuel, busy, watch)
    }

    /// Calls the handler until it ends, time is up or somebody wants it to stop. Gives the time spent in the guest and in
    /// the calls it made, waiting not counted.
    async fn drive(
        &self,
        plugin: &Plugin,
        store: &mut Store<State>,
        input: &Input,
        timeout: Duration,
        stop: BoxFuture<StopReason>,
    ) -> (Ended, Duration) {
        let mut busy = Duration::ZERO;
        let turn = store.data().turn.clone();
        let mut call = pin!(plugin.handler.call(store, input));
        let measured = poll_fn(|context| {
            let watch = Stopwatch::start();
            let polled = call.as_mut().poll(context);
            busy += watch.elapsed();
            // It waits for something, or for its next turn: then the one it had is another's. After its end, too.
            turn.end();
            polled
        });
        // A busy guest gives way at every tick, so the others get their turn here within one. The call comes first: most end
        // at once, and then no timer was ever set.
        let ended = tokio::select! {
            biased;
            ended = measured => ended,
            reason = stop => Ended::Stopped(reason),
            () = self.ticker.sleep(timeout) => Ended::TimedOut,
        };
        (ended, busy)
    }
}

/// The report of an execution that did not get as far as the guest.
pub(crate) fn not_run(failure: Failure) -> Report {
    Report {
        outcome: Outcome::Failure(failure),
        effects: Effects::default(),
        logs: Vec::new(),
        receipt: Receipt::default(),
    }
}

fn report(ended: Ended, mut state: State, fuel: u64, busy: Duration, watch: Stopwatch) -> Report {
    let now = state.now();
    state.http.report(&mut state.usage);
    let redactor = state.config.redactor();
    {
        let mut logs = state.logs.lock();
        logs.close(now);
        // Before anything is told of them: a trap quotes what the guest has printed.
        logs.redact(&redactor);
    }
    let outcome = classify::redacted(classify::outcome(ended, &state), &redactor);
    let mut logs = state.logs.lock();
    let usage = &state.usage;
    let receipt = Receipt {
        key_value_bytes: usage.key_value_bytes,
        egress_requests: usage.egress_requests,
        egress_bytes: usage.egress_bytes,
        fuel,
        wall_us: micros(watch.elapsed()),
        cpu_us: micros(busy),
        memory_bytes_peak: state.memory.peak_bytes(),
        host_calls: state.host_calls(),
        log_bytes: logs.written_bytes(),
        log_bytes_dropped: logs.dropped_bytes(),
    };
    let lines = logs.take_lines();
    drop(logs);
    let effects = match outcome {
        Outcome::Success(_) => {
            Effects { events: state.outbox.into_events(), writes: state.key_value.into_writes() }
        }
        Outcome::Failure(_) => Effects::default(),
    };
    Report { outcome, effects, logs: lines, receipt }
}
