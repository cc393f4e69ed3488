//! The standard interfaces that programs are compiled against: `wasi:cli`, `wasi:clocks`, `wasi:random` and `wasi:io` 0.2.
//!
//! A guest sees no arguments, its outputs go to the log, and its wall clock is the host's clock. It has an environment and a
//! standard input only if its kind of handler is called by them ([`Program`]).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWrite, sink};
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{HostWallClock, WasiClocks, WasiClocksView as _};
use wasmtime_wasi::p2::bindings::{cli, clocks, io, random};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::logs::{Logs, Output};
use crate::state::{Shared, State};

/// Bytes of randomness in one call.
const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// Bytes that a guest may write to an output in one call.
const WRITE_BYTES_MAX: usize = 64 << 10;
/// The wall clock counts whole milliseconds.
const WALL_CLOCK_RESOLUTION: Duration = Duration::from_millis(1);

/// The interfaces that are offered, without their version.
const INTERFACES: [&str; 18] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Whether `name` is one of the interfaces in a 0.2 version.
pub(crate) fn is_offered(name: &str) -> bool {
    name.split_once('@').is_some_and(|(name, version)| INTERFACES.contains(&name) && is_preview_2(version))
}

/// Whether `version` is a release of WASI 0.2.
pub(crate) fn is_preview_2(version: &str) -> bool {
    version.strip_prefix("0.2.").is_some_and(|patch| patch.bytes().all(|digit| digit.is_ascii_digit()))
}

/// The context of the standard interfaces. Made when it is first needed: most handlers never need it.
#[derive(Default)]
pub(crate) struct Wasi {
    context: Option<WasiCtx>,
    program: Program,
}

impl Wasi {
    /// Has the guest find this when it looks. To be called before it is instantiated.
    pub(crate) fn run_program(&mut self, program: Program) {
        self.program = program;
    }
}

/// What a guest is given by way of the operating system that it believes to run on.
#[derive(Default)]
pub(crate) struct Program {
    /// Environment variables and their values.
    pub(crate) environment: Vec<(String, String)>,
    /// What it reads from standard input.
    pub(crate) input: Bytes,
    /// Keeps what it writes to standard output, if somebody wants that besides the log.
    pub(crate) output: Option<Capture>,
}

/// Standard output as a whole, as long as it is not too long.
#[derive(Clone)]
pub(crate) struct Capture(Arc<Mutex<Captured>>);

struct Captured {
    bytes: Vec<u8>,
    /// Bytes written, kept or not.
    written: u64,
    bytes_max: u64,
}

impl Capture {
    /// Keeps at most `bytes_max`.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self(Arc::new(Mutex::new(Captured { bytes: Vec::new(), written: 0, bytes_max })))
    }

    /// What was written; what is no text is replaced. If it was too much, how many bytes.
    pub(crate) fn text(&self) -> Result<String, u64> {
        let captured = self.lock();
        if captured.written > captured.bytes_max {
            return Err(captured.written);
        }
        Ok(String::from_utf8_lossy(&captured.bytes).into_owned())
    }

    fn write(&self, bytes: &[u8]) {
        let mut captured = self.lock();
        captured.written = captured.written.saturating_add(bytes.len() as u64);
        if captured.written <= captured.bytes_max {
            captured.bytes.extend_from_slice(bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let state = self.enter();
        let Wasi { context: made, program } = &mut state.wasi;
        let ctx = made.get_or_insert_with(|| context(&state.logs, &state.shared, program));
        WasiCtxView { ctx, table: &mut state.table }
    }
}

/// Links the interfaces.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    io::error::add_to_linker::<State, Io>(linker, |state| &mut state.enter().table)?;
    io::poll::add_to_linker::<State, Io>(linker, |state| &mut state.enter().table)?;
    io::streams::add_to_linker::<State, Io>(linker, |state| &mut state.enter().table)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    random::random::add_to_linker::<State, WasiRandom>(linker, State::random)?;
    random::insecure::add_to_linker::<State, WasiRandom>(linker, State::random)?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(linker, State::random)?;
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)
}

/// A context that grants nothing but clocks, randomness, the log and what the program is given.
fn context(logs: &Logs, shared: &Arc<Shared>, program: &Program) -> WasiCtx {
    let stream =
        |output, capture| LogStream { logs: logs.clone(), output, shared: Arc::clone(shared), capture };
    WasiCtx::builder()
        .envs(&program.environment)
        .stdin(MemoryInputPipe::new(program.input.clone()))
        .stdout(stream(Output::Standard, program.output.clone()))
        .stderr(stream(Output::Error, None))
        .wall_clock(WallClock(Arc::clone(shared)))
        .max_random_size(RANDOM_BYTES_MAX)
        .allow_tcp(false)
        .allow_udp(false)
        .build()
}

/// The host's clock as guests see it.
struct WallClock(Arc<Shared>);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        WALL_CLOCK_RESOLUTION
    }

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.clock.now().as_millis()).unwrap_or(0))
    }
}

/// An output of the guest that ends in the log. Always ready: what is over the log's limit is counted and left out.
#[derive(Clone)]
struct LogStream {
    logs: Logs,
    output: Output,
    shared: Arc<Shared>,
    capture: Option<Capture>,
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// Only WASI 0.3 asks for this, and it is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(sink())
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if !bytes.is_empty() {
            if let Some(capture) = &self.capture {
                capture.write(&bytes);
            }
            self.logs.lock().write(self.output, &bytes, self.shared.clock.now());
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_offered_in_every_0_2_release() {
        for name in
            ["wasi:cli/environment@0.2.0", "wasi:io/streams@0.2.12", "wasi:random/insecure-seed@0.2.3"]
        {
            assert!(is_offered(name), "{name}");
        }
        for name in [
            "wasi:cli/environment",
            "wasi:cli/environment@0.3.0",
            "wasi:cli/run@0.2.0",
            "wasi:io/poll@0.2.0-rc.1",
        ] {
            assert!(!is_offered(name), "{name}");
        }
    }
}
