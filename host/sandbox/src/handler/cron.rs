//! `fermyon:spin-cron`: the cron trigger of Spin.

use wasmtime::Store;

pub(super) use self::bindings::SpinCronPre;
use self::bindings::fermyon::spin_cron::cron_types::{Error, Metadata};
use super::{Done, Input, facts};
use crate::bindings::exports::innkeeper::plugin::handler::Failure;
use crate::capability::wasi::Program;
use crate::classify::Ended;
use crate::state::State;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/hosts/spin-cron",
        exports: { default: async },
    });
}

pub(super) async fn call(pre: &SpinCronPre<State>, store: &mut Store<State>, input: &Input) -> Done {
    let state = store.data_mut();
    let environment = facts::environment(state, input);
    state.wasi.run_program(Program { environment, ..Program::default() });
    let due =
        state.invocation.as_ref().map(|invocation| invocation.scheduled_at.unwrap_or(invocation.started_at));
    let timestamp = due.map_or(0, |due| u64::try_from(due.as_millis() / 1000).unwrap_or(0));
    let instance = pre.instantiate_async(&mut *store).await.map_err(Ended::NotStarted)?;
    let returned = instance.call_handle_cron_event(store, Metadata { timestamp }).await;
    match returned.map_err(Ended::Broken)? {
        Ok(()) => Ok(Ok(None)),
        Err(Error::Other(message)) => Ok(Err(Failure::Retry(message))),
    }
}
