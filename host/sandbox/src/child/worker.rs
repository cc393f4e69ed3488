//! The process that compiles: it fetters itself, reads, checks, compiles, answers and ends.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use innkeeper_model::sandbox::Refusal;
use wasmtime::Engine;

use super::{Answer, REQUEST_BYTES, Request};
use crate::{asks, engine};

/// How much more than the thread that started it a compilation gives way to the host: 0 is not at all, 19 is most.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;
/// Seconds between the signal for too much processor time and the one that cannot be ignored.
#[cfg(target_os = "linux")]
const KILL_AFTER_SECONDS: u64 = 5;

/// Reads one component from standard input, as the host sends it, and writes what comes of it to standard output.
///
/// It is all that the program of [`crate::CompilerProgram`] does, and the process is good for nothing else afterwards: it
/// takes limits upon itself that it cannot shed. To be called before any thread is started.
#[must_use]
pub fn compile_standard_input() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut head = [0; REQUEST_BYTES];
    let whole = input.read_exact(&mut head);
    let request = whole.ok().and_then(|()| Request::decode(&head));
    let request = request.ok_or_else(|| io::Error::other("this is not for people: the host calls it"))?;
    fetter(&request)?;
    let mut component = Vec::new();
    input.read_to_end(&mut component)?;
    let (answer, compatibility, bytes) = match compile(&request, &component) {
        Ok((compatibility, artifact)) => (Answer::Compiled, compatibility, artifact),
        Err((answer, message)) => (answer, 0, message.into_bytes()),
    };
    let mut output = io::stdout().lock();
    output.write_all(&answer.head(compatibility, bytes.len() as u64))?;
    output.write_all(&bytes)?;
    output.flush()
}

/// The engine's compatibility and the artifact, or what else to say.
fn compile(request: &Request, component: &[u8]) -> Result<(u64, Vec<u8>), (Answer, String)> {
    let component = asks::component(component, request.guest_memory_bytes).map_err(refused)?;
    let engine =
        Engine::new(&engine::compiler_config(component.len())).map_err(|error| not_compiled(&error))?;
    let artifact = engine.precompile_component(&component).map_err(|error| not_compiled(&error))?;
    if artifact.len() as u64 > request.artifact_bytes {
        let message = format!(
            "the component becomes {} bytes of machine code and data; at most {} are allowed",
            artifact.len(),
            request.artifact_bytes
        );
        return Err((Answer::TooLarge, message));
    }
    Ok((engine::compatibility(&engine), artifact))
}

/// Names hold no line breaks: the component was found to be valid before anybody looked at them.
fn refused(refusal: Refusal) -> (Answer, String) {
    match refusal {
        Refusal::TooLarge(message) => (Answer::TooLarge, message),
        Refusal::CoreModule => (Answer::CoreModule, String::new()),
        Refusal::MissingExport { found, .. } => (Answer::MissingExport, found.join("\n")),
        Refusal::SeveralHandlers(names) => (Answer::SeveralHandlers, names.join("\n")),
        Refusal::MissingImports(names) => (Answer::MissingImports, names.join("\n")),
        other => (Answer::Invalid, other.to_string()),
    }
}

/// The bytes are valid, so what is left to fail are limits of the compiler, and memory.
fn not_compiled(error: &wasmtime::Error) -> (Answer, String) {
    let exhausted = error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::OutOfMemory)
    });
    let message = format!("{error:#}");
    if exhausted || error.is::<wasmtime::OutOfMemory>() {
        return (Answer::OutOfMemory, message);
    }
    (Answer::TooLarge, message)
}

/// Bounds what this process may use, for good. The host bounds its time besides.
#[cfg(target_os = "linux")]
fn fetter(request: &Request) -> io::Result<()> {
    use rustix::process::{Resource, Signal, getppid, nice, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(|parent| u64::from(parent.as_raw_nonzero().get().unsigned_abs()));
    if parent != Some(request.parent) {
        return Err(io::Error::other("the host is gone"));
    }
    // Added to what the host's own threads have, for nobody may take it back.
    nice(NICENESS)?;
    let seconds = request.processor_seconds;
    limit(Resource::Cpu, seconds, seconds.saturating_add(KILL_AFTER_SECONDS))?;
    limit(Resource::As, request.memory_bytes, request.memory_bytes)?;
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Fsize, 0, 0)
}

/// Sets a limit and the one it may be raised to, neither above what the system has set already.
#[cfg(target_os = "linux")]
fn limit(resource: rustix::process::Resource, value: u64, last: u64) -> io::Result<()> {
    let allowed = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit =
        rustix::process::Rlimit { current: Some(value.min(allowed)), maximum: Some(last.min(allowed)) };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

/// Only Linux is known to enforce these; elsewhere the host's time limit has to do.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "it fails where it does something")]
fn fetter(_: &Request) -> io::Result<()> {
    Ok(())
}
