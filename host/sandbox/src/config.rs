//! What a sandbox may use of its host.

use std::path::PathBuf;

use innkeeper_model::egress::EgressPolicy;

/// Settings of a [`crate::WasmSandbox`]. They hold for the host; what one execution may use is in its invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Executions at once, at least 1. The instance pool is sized for it; one more waits for its turn.
    pub concurrency: u32,
    /// The most bytes of memory an execution may have, whatever its own limit says. It also bounds how long one bulk
    /// memory instruction runs without looking at the clock: about 25 ms for 64 MiB.
    pub memory_bytes_max: u64,
    /// Threads that run guest code, at least 1. They run nothing else.
    pub guest_threads: usize,
    /// Where compiled components are kept between starts of the host; `None` keeps them in memory only. The folder holds
    /// machine code: nobody but the host's user may write to it.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of compiled components kept in `cache_dir`. The ones written longest ago go first.
    pub cache_bytes_max: u64,
    /// Bytes of compiled components kept ready in memory. The ones used longest ago go first.
    pub loaded_bytes_max: u64,
    /// Bytes of one uploaded component.
    pub upload_bytes_max: u64,
    /// Compilations at once, at least 1. Each may use every processor.
    pub compilations: u32,
    /// Which addresses plugins may reach over outgoing HTTP, and where this host listens.
    pub egress: EgressPolicy,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            concurrency: 256,
            memory_bytes_max: 64 << 20,
            guest_threads: std::thread::available_parallelism().map_or(2, usize::from),
            cache_dir: None,
            cache_bytes_max: 2 << 30,
            loaded_bytes_max: 512 << 20,
            upload_bytes_max: 32 << 20,
            compilations: 1,
            egress: EgressPolicy::default(),
        }
    }
}
