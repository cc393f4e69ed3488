//! What a sandbox may use of its host.

use std::ffi::OsString;
use std::path::PathBuf;

use innkeeper_model::egress::EgressPolicy;

use crate::child::CompileLimits;

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
    /// Compilations at once, at least 1.
    pub compilations: u32,
    /// The program that compiles, in a process of its own for each component. `None` compiles in this process, without
    /// [`SandboxConfig::compile_limits`]: then a component that nobody has looked at can make it use up its memory or
    /// compute for minutes. Right for components that are trusted that far.
    pub compiler: Option<CompilerProgram>,
    /// What one compilation in a process of its own may use.
    pub compile_limits: CompileLimits,
    /// Which addresses plugins may reach over outgoing HTTP, and where this host listens.
    pub egress: EgressPolicy,
}

/// A program that calls [`crate::compile_standard_input`] and does nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerProgram {
    /// Where it is.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl CompilerProgram {
    /// The running program itself, which must call [`crate::compile_standard_input`] when it is given `arguments`.
    ///
    /// # Errors
    /// The system does not say which program this is.
    pub fn this_one(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> std::io::Result<Self> {
        // Where the system has it, the name that still means this program after its file was replaced by a newer one.
        let path = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
        Ok(Self { path, arguments: arguments.into_iter().map(Into::into).collect() })
    }
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
            compilations: 2,
            compiler: None,
            compile_limits: CompileLimits::default(),
            egress: EgressPolicy::default(),
        }
    }
}
