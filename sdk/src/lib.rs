//! Everything a plugin author needs to write an Innkeeper handler in Rust.
//!
//! A plugin is a `cdylib` crate with one plain function marked [`handler`](macro@handler), built for
//! `wasm32-wasip2`:
//!
//! ```
//! use innkeeper_sdk::{Failure, handler, log};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Login {
//!     name: String,
//! }
//!
//! #[handler]
//! fn greet(event: Option<&str>, data: Login) -> Result<String, Failure> {
//!     log::info!("started by {event:?}");
//!     Ok(format!("Hello, {}!", data.name))
//! }
//! # fn main() {
//! # assert!(greet(None, Login { name: "Ada".into() }).is_ok());
//! # }
//! ```
//!
//! - [`handler`](macro@handler) says what such a function may take and give; [`Failure`] how it fails.
//! - [`context`] tells which execution it is part of, [`events`] publishes events, [`log`] writes to the
//!   execution's log.
//! - With the feature `http`, the module `http` asks other servers.
//! - With the feature `kv`, `kv` keeps things in the tenant's key-value store; with the feature `config`, `config` reads
//!   settings and secrets. A plugin imports only what it uses.
//! - On targets other than WebAssembly the host is stood in for by `testing`, so `cargo test` runs a handler
//!   as it is.
//!
//! The contract itself is the WIT package `innkeeper:plugin`. This crate knows the contract only: nothing of
//! how a host stores, schedules or limits. Its invariant: a handler behaves alike in a native test and in a
//! component, as far as it uses nothing but this crate.

// Generated code names this crate as plugins do.
extern crate self as innkeeper_sdk;

mod calendar;
#[cfg(target_family = "wasm")]
mod component;
#[cfg(feature = "config")]
pub mod config;
pub mod context;
mod entry;
pub mod events;
mod failure;
#[cfg(feature = "http")]
pub mod http;
mod json;
#[cfg(feature = "kv")]
pub mod kv;
pub mod log;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use entry::{EventArgument, Handler, Output};
pub use failure::Failure;
pub use innkeeper_sdk_macros::handler;

// Where the three capabilities are met: by the host's imports in a component, by the double elsewhere.
#[cfg(target_family = "wasm")]
use component as host;
#[cfg(not(target_family = "wasm"))]
use testing as host;

/// What the code written by the `handler` attribute calls. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    #[cfg(target_family = "wasm")]
    pub use crate::component::{bindings, run};
    pub use crate::entry::{takes_data, takes_event, yields_output};
    #[cfg(target_family = "wasm")]
    pub use wit_bindgen::rt;
}
