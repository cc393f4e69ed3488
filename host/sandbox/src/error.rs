//! Why a sandbox could not be made.

use std::io;
use std::path::PathBuf;

/// A [`crate::WasmSandbox`] could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A setting has a value that no sandbox can have.
    #[error("{field} is {value}: {remedy}")]
    Config {
        /// The field of [`crate::SandboxConfig`].
        field: &'static str,
        /// Its value.
        value: u64,
        /// What it may be.
        remedy: &'static str,
    },
    /// The engine refused its settings, or the system has not enough address space for the instance pool.
    #[error("the WebAssembly engine could not be set up; a lower concurrency needs less address space")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A thread could not be started.
    #[error("the threads that run guest code could not be started")]
    Threads(#[source] io::Error),
    /// The folder for compiled components could not be used.
    #[error("the folder for compiled components, {}, could not be used: check that it is writable", path.display())]
    Cache {
        /// The folder or the file in it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
