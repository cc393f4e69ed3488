//! Stories: the real binary, a real database file, real guests. Each tells one thing a user relies on; the host checks
//! what must always hold when it is dropped.

mod components;
mod configuration;
mod crash;
mod data_commands;
mod dev;
mod effects;
mod egress;
mod egress_limits;
mod egress_plugins;
mod fairness;
mod faults;
mod granted;
mod handlers;
mod handlers_standard;
mod hostile_guests;
mod hostile_uploads;
mod key_value;
mod key_value_conflicts;
mod key_value_interfaces;
mod key_value_plugins;
#[cfg(languages)]
mod languages;
mod limits;
mod main_job;
mod operations;
mod plugin_guide;
mod plugin_tools;
mod quarantine;
mod refusals;
mod retries;
mod runner;
mod schema;
mod shutdown;
mod specification;
mod streams;
mod tenants;
mod tenants_schema;
mod tidy;
mod versions;
