//! Stories of the admin API: through its routes with a real store and a scripted sandbox, and through sockets.

mod access;
mod audit;
mod events;
mod metrics;
mod plugins;
mod routes;
mod schedules;
mod sockets;
mod support;
mod tasks;
