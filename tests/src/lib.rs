//! What stories and benchmarks share: a host under test, from outside.

pub mod host;
pub mod server;
pub mod wait;

pub use host::{TestHost, binary};
pub use server::{CERTIFICATE, HttpServer, Reply};
pub use wait::eventually;
