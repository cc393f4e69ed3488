//! What stories and benchmarks share: a host under test, from outside.

pub mod dev;
pub mod events;
pub mod host;
pub mod server;
pub mod wait;

pub use dev::Dev;
pub use events::{EventStream, StreamEvent};
pub use host::{TestHost, binary};
pub use server::{CERTIFICATE, HttpServer, Reply};
pub use wait::eventually;
