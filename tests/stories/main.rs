//! Stories: the real binary, a real database file, real guests. Each tells one thing a user relies on; the host checks
//! what must always hold when it is dropped.

mod components;
mod configuration;
mod crash;
mod data_commands;
mod effects;
mod faults;
mod granted;
mod key_value;
mod key_value_conflicts;
mod key_value_interfaces;
mod key_value_plugins;
mod limits;
mod main_job;
mod refusals;
mod retries;
mod runner;
mod schema;
mod shutdown;
mod specification;
mod tidy;
