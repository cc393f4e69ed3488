//! `wasi:logging/logging`: messages for the log of the execution.

use innkeeper_model::execution::LogLevel;
use wasmtime::component::Linker;

use crate::bindings::wasi::logging::logging::Level;
use crate::state::State;

/// The names under which components import the interface: the draft's, and the one without a version. A name with a
/// pre-release version is met only by that very name.
pub(crate) const NAMES: [&str; 2] = ["wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"];

/// Links the interface under each of its names.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for name in NAMES {
        linker.instance(name)?.func_wrap(
            "log",
            |mut store, (level, context, message): (Level, String, String)| {
                log(store.data_mut().enter(), level, &context, &message);
                Ok(())
            },
        )?;
    }
    Ok(())
}

fn log(state: &State, level: Level, context: &str, message: &str) {
    let now = state.now();
    if context.is_empty() {
        state.logs.lock().log(level_of(level), message, now);
    } else {
        state.logs.lock().log(level_of(level), &format!("{context}: {message}"), now);
    }
}

fn level_of(level: Level) -> LogLevel {
    match level {
        Level::Trace => LogLevel::Trace,
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error | Level::Critical => LogLevel::Error,
    }
}
