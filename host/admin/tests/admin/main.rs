//! Stories of the admin API: through its routes with a real store and a scripted sandbox, and through sockets.

mod access;
mod audit;
mod events;
mod isolation;
mod limits;
mod matrix;
mod metrics;
mod plugins;
mod registered;
mod routes;
mod schedules;
mod sockets;
mod support;
mod tasks;
mod tenants;
mod tokens;
mod values;
