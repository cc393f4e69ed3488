//! What stories and benchmarks share: a host under test, from outside.

pub mod collector;
pub mod dev;
pub mod events;
pub mod host;
pub mod server;
pub mod trace;
pub mod wait;

pub use collector::{Collector, attribute};
pub use dev::Dev;
pub use events::{EventStream, StreamEvent};
pub use host::{TestHost, binary};
pub use server::{CERTIFICATE, HttpServer, Reply};
pub use trace::post_in_trace;
pub use wait::eventually;
