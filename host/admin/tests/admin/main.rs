//! Stories of the admin API: through its routes with a real store and a scripted sandbox, and through sockets.

mod access;
mod audit;
mod conformity;
mod events;
mod framing;
mod isolation;
mod limits;
mod matrix;
mod metrics;
mod plugins;
mod preconditions;
mod registered;
mod replays;
mod rollouts;
mod routes;
mod schedules;
mod sockets;
mod streams;
mod support;
mod tasks;
mod tenants;
mod tokens;
mod upcoming;
mod values;
