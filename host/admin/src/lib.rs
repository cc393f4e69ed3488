//! The HTTP admin API.
//!
//! Everything a client can ask of a running host, over HTTP and JSON: tasks, plugins, events, the audit trail. This
//! crate turns requests into calls of [`TaskRunner`] and its answers into JSON; it decides nothing about tasks, knows
//! neither SQL nor WebAssembly, and reads no configuration.
//!
//! The invariants it keeps: whatever a client sends or does not send, an answer with an error is an
//! `application/problem+json` document with a stable `code`, and no client holds a connection, memory or a handler for
//! longer than [`AdminConfig`] allows. What was asked for in full is done, even if the client hangs up meanwhile.

mod config;
mod router;
mod server;
mod write_timeout;

mod access;
mod auth;
mod bodies;
mod gate;
mod grants;

mod body;
mod etag;
mod fields;
mod framing;
mod heads;
mod id;
mod idempotency;
mod json;
mod openapi;
mod paging;
mod query;

mod problem;
mod wire;

mod apply;
mod audit;
mod authored;
mod background;
mod backup;
mod components;
mod configuration;
mod declaration;
mod dry_run;
mod events;
mod executions;
mod export;
mod health;
mod limits;
mod metrics;
mod plugins;
mod prefer;
mod replays;
mod rollouts;
mod schedules;
mod spool;
mod sse;
mod status;
mod streams;
mod tasks;
mod tenants;
mod tokens;
mod trace;
mod upcoming;
mod uploads;
mod values;
mod versions;

pub use auth::{InvalidToken, Token};
pub use config::AdminConfig;
pub use router::router;
pub use server::serve;

#[cfg(doc)]
use innkeeper_runner::TaskRunner;
