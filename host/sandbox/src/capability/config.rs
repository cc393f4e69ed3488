//! `wasi:config/store`: the tenant's configuration, secrets included: the keys that are granted.
//!
//! A value is read when it is first asked for and stays the same for the rest of the execution. The secrets among those read
//! are remembered, so that they can be kept out of what the execution leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use innkeeper_model::redact::Redactor;
use innkeeper_model::sandbox::ConfigValue;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use crate::capability::denial;
use crate::state::State;

/// The names under which components import the interface. One with a pre-release version is met only by that very name.
pub(crate) const NAMES: [&str; 2] = ["wasi:config/store@0.2.0-rc.1", "wasi:config/store@0.2.0-draft"];

/// What an execution has read of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Config {
    read: BTreeMap<String, Option<ConfigValue>>,
    denied: BTreeSet<String>,
}

/// The interface's `error`.
#[derive(Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

impl Config {
    /// Replaces the secrets that were read.
    pub(crate) fn redactor(&self) -> Redactor {
        let secrets = self.read.values().flatten().filter(|value| value.is_secret);
        Redactor::new(secrets.map(|value| value.text.as_str()))
    }
}

/// Links the interface under each of its names.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for name in NAMES {
        let mut instance = linker.instance(name)?;
        instance.func_wrap_async("get", |mut store: StoreContextMut<'_, State>, (key,): (String,)| {
            Box::new(async move { Ok((get(store.data_mut().enter(), &key).await,)) })
        })?;
        instance.func_wrap_async("get-all", |mut store: StoreContextMut<'_, State>, (): ()| {
            Box::new(async move { Ok((get_all(store.data_mut().enter()).await,)) })
        })?;
    }
    Ok(())
}

/// The value of a granted key. One that is not granted reads as absent, and leaves a line in the log, once.
async fn get(state: &mut State, key: &str) -> Result<Option<String>, Error> {
    let Some(invocation) = &state.invocation else { return Err(not_yet()) };
    if invocation.grants.config.iter().any(|granted| granted == key) {
        return read(state, key).await;
    }
    // A key that cannot be has no grant to tell of.
    let can_be = innkeeper_model::key_value::check_config_key(key).is_ok();
    if can_be && state.config.denied.len() < denial::LINES_MAX && state.config.denied.insert(key.to_owned()) {
        let line = denial::line("configuration key", key, &invocation.plugin, "config");
        denial::warn(state, &line);
    }
    Ok(None)
}

async fn get_all(state: &mut State) -> Result<Vec<(String, String)>, Error> {
    let Some(invocation) = &state.invocation else { return Err(not_yet()) };
    let grants = Arc::clone(&invocation.grants);
    let granted: BTreeSet<&String> = grants.config.iter().collect();
    let mut all = Vec::new();
    for key in granted {
        all.extend(read(state, key).await?.map(|value| (key.clone(), value)));
    }
    Ok(all)
}

async fn read(state: &mut State, key: &str) -> Result<Option<String>, Error> {
    if let Some(known) = state.config.read.get(key) {
        return Ok(known.as_ref().map(|value| value.text.clone()));
    }
    let Some(invocation) = &state.invocation else { return Err(not_yet()) };
    let value = invocation.state.configuration(&invocation.tenant, key).await;
    let value = value.map_err(|error| Error::Upstream(error.to_string()))?;
    let text = value.as_ref().map(|value| value.text.clone());
    state.config.read.insert(key.to_owned(), value);
    Ok(text)
}

fn not_yet() -> Error {
    Error::Io("the configuration is there for the handler, not while the plugin is being started".to_owned())
}
