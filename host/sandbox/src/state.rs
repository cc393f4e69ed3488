//! What a store holds: everything one execution has in the host.

use std::sync::Arc;

use innkeeper_model::clock::Clock;
use innkeeper_model::limits::Limits;
use innkeeper_model::sandbox::Invocation;
use innkeeper_model::time::Timestamp;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::capability::config::Config;
use crate::capability::events::Outbox;
use crate::capability::http::{Http, Network};
use crate::capability::keyvalue::KeyValue;
use crate::capability::wasi::Wasi;
use crate::logs::Logs;
use crate::memory::MemoryLimiter;
use crate::processor::{Processor, Slot};
use crate::usage::Usage;

/// Bytes that a guest may hand to the host in one call.
pub(crate) const HOSTCALL_BYTES_MAX: usize = 4 << 20;
/// Handles that a guest may hold at once: streams, pollables and so on.
const HANDLES_MAX: usize = 1024;

/// What every execution shares.
pub(crate) struct Shared {
    /// The one engine.
    pub(crate) engine: Engine,
    /// The wall clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// The way out.
    pub(crate) network: Network,
    /// Turns for guests that compute for long.
    pub(crate) processor: Arc<Processor>,
}

/// The data of a store.
pub(crate) struct State {
    pub(crate) shared: Arc<Shared>,
    /// `None` while a component is tried: there is no execution then.
    pub(crate) invocation: Option<Invocation>,
    pub(crate) limits: Limits,
    pub(crate) memory: MemoryLimiter,
    pub(crate) logs: Logs,
    pub(crate) outbox: Outbox,
    pub(crate) key_value: KeyValue,
    pub(crate) config: Config,
    pub(crate) usage: Usage,
    pub(crate) wasi: Wasi,
    pub(crate) http: Http,
    pub(crate) table: ResourceTable,
    host_calls: u64,
    /// The guest's turn on the processor.
    pub(crate) turn: Slot,
}

impl State {
    /// The state of an execution that may use `limits`, and never more memory than `memory_bytes_max`.
    pub(crate) fn new(
        shared: Arc<Shared>,
        invocation: Option<Invocation>,
        limits: Limits,
        memory_bytes_max: u64,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let event_data_bytes_max =
            invocation.as_ref().map_or(0, |invocation| invocation.event_data_bytes_max);
        Self {
            shared,
            invocation,
            limits,
            memory: MemoryLimiter::new(limits.memory_bytes.min(memory_bytes_max)),
            logs: Logs::new(limits.log_bytes),
            outbox: Outbox::new(limits.events, event_data_bytes_max),
            key_value: KeyValue::default(),
            config: Config::default(),
            usage: Usage::default(),
            wasi: Wasi::default(),
            http: Http::default(),
            table,
            host_calls: 0,
            turn: Slot::default(),
        }
    }

    /// Counts one call from the guest. Everything that is linked goes through here first.
    ///
    /// There is no store to trap here. A breach makes every guest look at its own state: [`check`] ends this one, the
    /// others give way once.
    pub(crate) fn enter(&mut self) -> &mut Self {
        self.host_calls = self.host_calls.saturating_add(1);
        if self.host_calls == self.limits.host_calls.saturating_add(1) {
            self.shared.engine.increment_epoch();
        }
        self
    }

    /// Calls counted so far.
    pub(crate) fn host_calls(&self) -> u64 {
        self.host_calls
    }

    /// Whether the guest called the host more often than it may.
    pub(crate) fn host_calls_exceeded(&self) -> bool {
        self.host_calls > self.limits.host_calls
    }

    /// The wall-clock time.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

/// The guest called the host more often than it may.
#[derive(Debug, thiserror::Error)]
#[error("the limit of calls into the host was reached")]
pub(crate) struct HostCallsExceeded;

/// A store with every limit set.
pub(crate) fn store(state: State) -> wasmtime::Result<Store<State>> {
    let fuel = state.limits.fuel;
    let engine = state.shared.engine.clone();
    let mut store = Store::try_new(&engine, state)?;
    store.limiter(|state| &mut state.memory);
    store.set_fuel(fuel)?;
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    store.set_max_component_handles(HANDLES_MAX);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| check(store.data()));
    Ok(store)
}

/// What happens at every tick. Looks at the host's data only: the guest is in the middle of something.
fn check(state: &State) -> wasmtime::Result<UpdateDeadline> {
    if state.host_calls_exceeded() {
        return Err(HostCallsExceeded.into());
    }
    // What is tried at admission belongs to nobody, and is short.
    let Some(invocation) = &state.invocation else { return Ok(UpdateDeadline::Yield(1)) };
    let turn = state.shared.processor.give_way(&invocation.tenant, state.turn.clone());
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(turn)))
}
