//! Stories: the real binary, a real database file, real guests. Each tells one thing a user relies on; the host checks
//! what must always hold when it is dropped.

mod components;
mod crash;
mod effects;
mod egress;
mod egress_limits;
mod egress_plugins;
mod faults;
mod hostile_guests;
mod hostile_uploads;
mod limits;
mod main_job;
mod refusals;
mod retries;
mod runner;
mod schema;
mod shutdown;
mod specification;
mod tidy;
