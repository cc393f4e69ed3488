//! `wasmcloud:messaging/handler`: an event is a message.

use wasmtime::Store;

use super::{Done, Input, facts};
use crate::bindings::exports::innkeeper::plugin::handler::Failure;
pub(super) use crate::capability::messaging::bindings::MessagingPre;
use crate::capability::messaging::bindings::wasmcloud::messaging::types::BrokerMessage;
use crate::capability::wasi::Program;
use crate::classify::Ended;
use crate::state::State;

pub(super) async fn call(pre: &MessagingPre<State>, store: &mut Store<State>, input: &Input) -> Done {
    let state = store.data_mut();
    let environment = facts::environment(state, input);
    state.wasi.run_program(Program { environment, ..Program::default() });
    let message = message(state, input);
    let instance = pre.instantiate_async(&mut *store).await.map_err(Ended::NotStarted)?;
    let returned = instance.wasmcloud_messaging_handler().call_handle_message(store, &message).await;
    match returned.map_err(Ended::Broken)? {
        Ok(()) => Ok(Ok(None)),
        Err(message) => Ok(Err(Failure::Retry(message))),
    }
}

fn message(state: &State, input: &Input) -> BrokerMessage {
    let task = || state.invocation.as_ref().map(|invocation| invocation.task_id.to_string());
    BrokerMessage {
        subject: input.event.clone().or_else(task).unwrap_or_default(),
        body: input.data.clone().unwrap_or_default().into_bytes(),
        reply_to: None,
    }
}
