//! The host's own contract: `innkeeper:plugin/handler`.

use wasmtime::Store;

use super::{Done, Input};
use crate::bindings::PluginPre;
use crate::classify::Ended;
use crate::state::State;

pub(super) async fn call(pre: &PluginPre<State>, store: &mut Store<State>, input: &Input) -> Done {
    let instance = pre.instantiate_async(&mut *store).await.map_err(Ended::NotStarted)?;
    let handler = instance.innkeeper_plugin_handler();
    let returned = handler.call_handle(store, input.event.as_deref(), input.data.as_deref()).await;
    returned.map_err(Ended::Broken)
}
