//! The host's side: starting the compiler, feeding it, and telling how it ended.

use std::fmt::Write as _;
use std::io;
use std::process::{ExitStatus, Stdio};

use innkeeper_model::sandbox::Refusal;
use innkeeper_model::upload::{ReadAt as _, Upload};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};

use super::{ANSWER_HEAD_BYTES, Answer, Request};
use crate::config::{CompilerProgram, SandboxConfig};
use crate::handler;

/// Bytes kept of what a compiler says in its last moments.
const LAST_WORDS_BYTES_MAX: u64 = 4 << 10;
/// Bytes of a component that are handed over at once.
const PART_BYTES: usize = 256 << 10;
/// How the standard library says that an allocation failed, before it aborts the process.
const ALLOCATION_FAILED: &str = "memory allocation of";
/// The signal for too much processor time.
const SIGXCPU: i32 = 24;
/// The signal that nobody can ignore.
const SIGKILL: i32 = 9;

/// Compiles `component` with `program` and gives the artifact. The process is killed when this is given up.
///
/// # Errors
/// The component is refused, or the compiler did not come to an end within its limits.
pub(crate) async fn compile(
    program: &CompilerProgram,
    config: &SandboxConfig,
    compatibility: u64,
    component: &Upload,
) -> Result<Vec<u8>, Refusal> {
    let limits = &config.compile_limits;
    let request = Request {
        memory_bytes: limits.memory_bytes,
        processor_seconds: limits.processor_time.as_secs().max(1),
        artifact_bytes: limits.artifact_bytes,
        guest_memory_bytes: config.memory_bytes_max,
        parent: u64::from(std::process::id()),
    };
    let child = start(program, limits.threads).map_err(|error| {
        tracing::error!(program = %program.path.display(), %error, "compiler.not_started");
        Refusal::DoesNotStart(format!(
            "the compiler could not be started: {error}; this is a fault of the host"
        ))
    })?;
    let answer_bytes_max = limits.artifact_bytes.saturating_add(ANSWER_HEAD_BYTES as u64);
    let talking = talk(child, &request, component, answer_bytes_max);
    // Giving up drops the child, which kills it.
    let Ok(ended) = tokio::time::timeout(limits.timeout, talking).await else {
        let seconds = limits.timeout.as_secs_f64();
        return Err(too_large(&format!("takes longer than {seconds} s")));
    };
    let ended =
        ended.map_err(|error| Refusal::HostFault(format!("the compiler could not be spoken to: {error}")))?;
    judge(ended, &request, compatibility)
}

fn start(program: &CompilerProgram, threads: usize) -> io::Result<Child> {
    let mut command = Command::new(&program.path);
    command
        .args(&program.arguments)
        .env_clear()
        .env("RAYON_NUM_THREADS", threads.max(1).to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // An interrupt at the terminal is for the host, which ends its compilers itself.
    #[cfg(unix)]
    command.process_group(0);
    command.spawn()
}

/// How a compiler ended.
struct Ended {
    status: ExitStatus,
    output: Vec<u8>,
    last_words: String,
}

async fn talk(mut child: Child, request: &Request, component: &Upload, bytes_max: u64) -> io::Result<Ended> {
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut input), Some(output), Some(error)) = pipes else {
        return Err(io::Error::other("it has no standard input and output"));
    };
    let feeding = async {
        // One that hangs up has its reasons, which its status tells.
        let _ = input.write_all(&request.encode()).await;
        let fed = feed(&mut input, component).await;
        drop(input);
        fed
    };
    // One byte more than allowed shows that it is more; what follows is left to break the pipe.
    let (fed, output, last_words) =
        tokio::join!(feeding, read(output, bytes_max.saturating_add(1)), read(error, LAST_WORDS_BYTES_MAX));
    let status = child.wait().await?;
    fed?;
    Ok(Ended { status, output: output?, last_words: String::from_utf8_lossy(&last_words?).into_owned() })
}

/// Gives the component to the compiler, a part at a time: it may be in a file.
async fn feed(input: &mut ChildStdin, component: &Upload) -> io::Result<()> {
    let mut offset = 0;
    loop {
        let upload = component.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut part = vec![0; PART_BYTES];
            upload.read_at(offset, &mut part).map(|count| {
                part.truncate(count);
                part
            })
        });
        let part = reading.await.map_err(io::Error::other)??;
        if part.is_empty() || input.write_all(&part).await.is_err() {
            return Ok(());
        }
        offset += part.len() as u64;
    }
}

async fn read(pipe: impl AsyncRead + Unpin, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(bytes_max).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// The artifact, if the compiler says that it finished it and it is for this engine.
fn judge(mut ended: Ended, request: &Request, compatibility: u64) -> Result<Vec<u8>, Refusal> {
    if !ended.status.success() {
        return Err(broken_off(&ended, request));
    }
    let Some((answer, made_for, rest)) = Answer::decode(&ended.output) else {
        return Err(host_fault("gave no whole answer", &ended));
    };
    let message = || String::from_utf8_lossy(rest).into_owned();
    match answer {
        Answer::Compiled if made_for == compatibility => Ok(ended.output.split_off(ANSWER_HEAD_BYTES)),
        Answer::Compiled => Err(host_fault("makes code for another version of the host", &ended)),
        Answer::Invalid => Err(Refusal::Invalid(message())),
        Answer::TooLarge => Err(Refusal::TooLarge(message())),
        Answer::OutOfMemory => Err(out_of_memory(request)),
        Answer::CoreModule => Err(Refusal::CoreModule),
        Answer::MissingExport => Err(handler::missing(names(&message()))),
        Answer::SeveralHandlers => Err(Refusal::SeveralHandlers(names(&message()))),
        Answer::MissingImports => Err(Refusal::MissingImports(names(&message()))),
    }
}

fn names(lines: &str) -> Vec<String> {
    lines.lines().map(str::to_owned).collect()
}

fn broken_off(ended: &Ended, request: &Request) -> Refusal {
    let signal = signal(ended.status);
    if signal == Some(SIGXCPU) {
        return too_large(&format!("takes more than {} s of processor time", request.processor_seconds));
    }
    if ended.last_words.contains(ALLOCATION_FAILED) {
        return out_of_memory(request);
    }
    match signal {
        Some(SIGKILL) => host_fault("was killed: the machine may be out of memory", ended),
        Some(signal) => crash(&format!("crashed on this component with signal {signal}"), ended),
        None => crash("failed on this component", ended),
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

fn out_of_memory(request: &Request) -> Refusal {
    too_large(&format!("takes more than {} bytes of memory", request.memory_bytes))
}

fn too_large(what: &str) -> Refusal {
    Refusal::TooLarge(format!(
        "compiling the component {what}, which is the limit: make it smaller or simpler"
    ))
}

/// The compiler did not survive the component.
fn crash(what: &str, ended: &Ended) -> Refusal {
    tell(ended);
    Refusal::DoesNotStart(format!("the compiler {what}; the host's log says more"))
}

/// What any component would have met.
fn host_fault(what: &str, ended: &Ended) -> Refusal {
    tell(ended);
    Refusal::HostFault(format!("the compiler {what}; the host's log says more"))
}

/// Whoever runs the host learns the details from the log.
fn tell(ended: &Ended) {
    let mut details = ended.status.to_string();
    if !ended.last_words.is_empty() {
        let _ = write!(details, ": {}", ended.last_words.trim_end());
    }
    tracing::error!(details, "compiler.failed");
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    const REQUEST: Request = Request {
        memory_bytes: 1024,
        processor_seconds: 3,
        artifact_bytes: 10,
        guest_memory_bytes: 0,
        parent: 1,
    };

    fn judged(status: i32, output: Vec<u8>, last_words: &str) -> Result<Vec<u8>, Refusal> {
        let last_words = last_words.to_owned();
        judge(Ended { status: ExitStatus::from_raw(status), output, last_words }, &REQUEST, 7)
    }

    fn compiled(compatibility: u64) -> Vec<u8> {
        [Answer::Compiled.head(compatibility, 2), b"ok".to_vec()].concat()
    }

    fn message(refused: Result<Vec<u8>, Refusal>) -> (&'static str, String) {
        let refusal = refused.expect_err("a refusal");
        (refusal.code(), refusal.to_string())
    }

    #[test]
    fn an_artifact_counts_only_if_the_compiler_finished_it_for_this_engine() {
        assert_eq!(judged(0, compiled(7), ""), Ok(b"ok".to_vec()));
        let missing = [Answer::MissingImports.head(0, 7), b"a:b/c\nd".to_vec()].concat();
        let names = vec!["a:b/c".to_owned(), "d".to_owned()];
        assert_eq!(judged(0, missing, ""), Err(Refusal::MissingImports(names)));
        let failed = 1 << 8;
        let cut = compiled(7)[..=ANSWER_HEAD_BYTES].to_vec();
        for (status, output, code, what) in [
            (failed, compiled(7), "component_does_not_start", "failed on this component"),
            (SIGKILL, compiled(7), "compiler_failed", "was killed"),
            (0, compiled(8), "compiler_failed", "another version"),
            (0, cut, "compiler_failed", "no whole answer"),
            (0, Vec::new(), "compiler_failed", "no whole answer"),
        ] {
            let (found, message) = message(judged(status, output, ""));
            assert_eq!(found, code, "{message}");
            assert!(message.contains(what), "{message}");
        }
    }

    #[test]
    fn limits_are_told_apart_from_crashes() {
        let out_of_memory = [Answer::OutOfMemory.head(0, 1), b"!".to_vec()].concat();
        for (status, output, last_words, code, what) in [
            (SIGXCPU, Vec::new(), "", "component_too_large", "3 s of processor time"),
            (
                6,
                Vec::new(),
                "memory allocation of 9 bytes failed",
                "component_too_large",
                "1024 bytes of memory",
            ),
            (0, out_of_memory, "", "component_too_large", "1024 bytes of memory"),
            (11, Vec::new(), "", "component_does_not_start", "crashed on this component with signal 11"),
        ] {
            let found = message(judged(status, output, last_words));
            assert_eq!(found.0, code, "{found:?}");
            assert!(found.1.contains(what), "{found:?}");
        }
    }
}
