//! Compiles, links, limits, calls and classifies plugins.
//!
//! The only crate that knows the WebAssembly engine; everybody else sees [`innkeeper_model::sandbox::Sandbox`]. It must
//! not know tasks, retries, queues or where state is stored: it is given one [`innkeeper_model::sandbox::Invocation`]
//! and answers with one [`innkeeper_model::sandbox::Report`].
//!
//! The invariant: **every execution gets a fresh store and instance that nothing outlives**, and ends within its limits
//! under the name of the limit that ended it. A guest reaches the host only through `capability`, one file for each thing
//! it may do; whatever else a component imports is refused when it is admitted.
//!
//! A plugin is *admitted* once (`admit`, `asks`, `structure`, `adapt`, `compile`, `child`), *loaded* as often as it was evicted (`plugins`,
//! `artifact`), and *executed* once per attempt (`execute`, `handler`,
//! `state`, `classify`).

mod adapt;
mod admit;
mod artifact;
mod asks;
mod bindings;
mod capability;
mod child;
mod classify;
mod compile;
mod config;
mod engine;
mod error;
mod execute;
mod handler;
mod inspect;
mod json;
mod logs;
mod measure;
mod memory;
mod outline;
mod plugins;
mod processor;
mod sandbox;
mod state;
mod structure;
mod ticker;
mod usage;

pub use child::{CompileLimits, compile_standard_input};
pub use config::{CompilerProgram, SandboxConfig};
pub use error::SandboxError;
pub use handler::HandlerKind;
pub use inspect::Inspection;
pub use sandbox::WasmSandbox;
