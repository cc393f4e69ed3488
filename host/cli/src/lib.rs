//! The `innkeeper` binary as a library: `serve`, `dev` and the client verbs.
//!
//! It wires the other crates together and talks to people. It must not decide anything about tasks, runs or plugins: a
//! rule that a client of the HTTP API would need as well is in the wrong place here. The client verbs know nothing but
//! that API; `serve` and `dev` know the runner.
//!
//! The invariant it keeps: standard output carries what was asked for and nothing else, everything else goes to standard
//! error, and the exit code tells apart what went wrong ([`exit::Failure`]).

mod command;

pub mod args;
pub mod exit;
mod grants;

mod data_directory;
mod doctor;
mod lifecycle;
mod serve;
mod telemetry;

pub mod config;
pub mod dev;

mod apply;
mod audit;
mod backup;
mod build;
mod client;
mod configuration;
mod event_file;
mod events;
mod executions;
mod follow;
mod input;
mod key_value;
mod output;
mod plugin_limits;
mod plugin_tools;
mod plugins;
mod presets;
mod problem;
mod progress;
mod push;
mod replays;
mod rollouts;
mod schedules;
mod stream;
mod tasks;
mod tenants;
mod tokens;
mod versions;

pub use command::main;
