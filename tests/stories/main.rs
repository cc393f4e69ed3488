//! Stories: the real binary, a real database file, real guests. Each tells one thing a user relies on; the host checks
//! what must always hold when it is dropped.

mod components;
mod crash;
mod effects;
mod faults;
mod limits;
mod main_job;
mod operations;
mod refusals;
mod retries;
mod runner;
mod schema;
mod shutdown;
mod specification;
mod tidy;
