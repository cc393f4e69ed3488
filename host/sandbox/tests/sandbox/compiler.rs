//! Compiling in a process of its own: it works like compiling here, and nothing it does harms the host.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use innkeeper_model::execution::FailureKind;
use innkeeper_model::sandbox::{Refusal, Sandbox as _};
use innkeeper_sandbox::{CompileLimits, CompilerProgram, SandboxConfig};

use crate::guests;
use crate::support::{HANDLER, assert_failed, assert_output, invocation, run, sandbox_with, soon, stored};

/// The compiler that this crate brings.
pub fn compiler() -> CompilerProgram {
    CompilerProgram { path: env!("CARGO_BIN_EXE_innkeeper-compiler").into(), arguments: Vec::new() }
}

fn with(compiler: CompilerProgram) -> SandboxConfig {
    SandboxConfig { compiler: Some(compiler), ..SandboxConfig::default() }
}

fn limited(change: impl FnOnce(&mut CompileLimits)) -> SandboxConfig {
    let mut config = with(compiler());
    change(&mut config.compile_limits);
    config
}

/// A program of the shell in place of the compiler.
fn shell(script: &str) -> SandboxConfig {
    with(CompilerProgram { path: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] })
}

async fn admit(config: SandboxConfig, component: &[u8]) -> Result<(), Refusal> {
    sandbox_with(config).admit(component.into()).await.map(|_| ())
}

fn too_large(refused: Result<(), Refusal>, hint: &str) {
    match refused {
        Err(Refusal::TooLarge(message)) => assert!(message.contains(hint), "{message}"),
        other => panic!("{other:?}"),
    }
}

fn fails(refused: Result<(), Refusal>, hint: &str) {
    match refused {
        Err(Refusal::DoesNotStart(message) | Refusal::HostFault(message)) => {
            assert!(message.contains(hint), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

/// Every step changes a variable of two thousand, and every step may be skipped or taken again, so the compiler must know of
/// each variable where it came from at each step.
fn bomb(frame: &str, step: impl Fn(usize) -> String, steps: usize) -> Vec<u8> {
    let body: String = (0..steps).map(step).collect();
    let locals = "i64 ".repeat(2000);
    let function = format!("(func (param i64) (result i64) (local {locals}) (loop {body}) local.get 1)");
    wat::parse_str(format!("(component (core module {function}) {frame})")).unwrap()
}

/// 300 KB that ask for gigabytes.
fn memory_bomb() -> Vec<u8> {
    let step = |at| {
        let (to, from) = (1 + at % 2000, 1 + at * 31 % 2000);
        format!("local.get 0 i32.wrap_i64 if local.get {to} local.get {from} i64.add local.set {to} end ")
    };
    bomb(HANDLER, step, 20_000)
}

/// The same, with a way back to the beginning in each step.
fn time_bomb() -> Vec<u8> {
    slow(HANDLER)
}

/// A time bomb with this around it.
fn slow(frame: &str) -> Vec<u8> {
    let step = |at| {
        let (to, from) = (1 + at % 2000, 1 + at * 31 % 2000);
        format!("local.get {to} local.get {from} i64.add local.set {to} local.get 0 i32.wrap_i64 br_if 0 ")
    };
    bomb(frame, step, 20_000)
}

#[tokio::test]
async fn what_is_not_offered_is_refused_before_anything_is_compiled() {
    let unknown = r#"(import "acme:db/query@1.0.0" (instance (export "run" (func))))"#;
    let component = slow(&format!("{unknown} {HANDLER}"));
    let missing = Err(Refusal::MissingImports(vec!["acme:db/query@1.0.0".to_owned()]));
    for config in [shell("exit 1"), SandboxConfig::default()] {
        let sandbox = sandbox_with(config);
        assert_eq!(sandbox.admit(component.as_slice().into()).await.map(|_| ()), missing);
        assert_eq!(sandbox.figures().compilations.count, 0, "no compilation was begun");
    }
    let second = limited(|limits| limits.processor_time = Duration::from_secs(1));
    let nothing = admit(second, &slow("")).await;
    assert!(matches!(nothing, Err(Refusal::MissingExport { found, .. }) if found.is_empty()));
}

#[tokio::test]
async fn a_component_is_compiled_runs_and_its_artifact_serves_every_host() {
    let folder = tempfile::tempdir().unwrap();
    let component = guests::succeed();
    let on_disk = SandboxConfig { cache_dir: Some(folder.path().to_owned()), ..with(compiler()) };
    let sandbox = sandbox_with(on_disk.clone());
    sandbox.admit(component.as_slice().into()).await.unwrap();
    assert_output(&run(&sandbox, invocation(&component)).await, None);
    let mut from_disk = invocation(&component);
    from_disk.state = stored(None);
    let compiling_here = SandboxConfig { compiler: None, ..on_disk };
    assert_output(&run(&sandbox_with(compiling_here), from_disk).await, None);
}

#[tokio::test]
async fn what_is_refused_is_refused_in_the_same_words() {
    for component in [
        guests::import_unknown(),
        guests::trap_at_start(),
        guests::succeed()[..100].to_vec(),
        wat::parse_str("(component (core module (memory i64 1)))").unwrap(),
        wat::parse_str("(component (core module (memory 5000)))").unwrap(),
        b"\x1f\x8b".to_vec(),
        Vec::new(),
    ] {
        let here = admit(SandboxConfig::default(), &component).await;
        assert_eq!(admit(with(compiler()), &component).await, here);
        assert!(here.is_err());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_component_that_takes_too_much_to_compile_is_refused_by_the_limit() {
    let second = limited(|limits| limits.processor_time = Duration::from_secs(1));
    too_large(admit(second, &time_bomb()).await, "more than 1 s of processor time");
    let little = limited(|limits| {
        limits.memory_bytes = 400 << 20;
        limits.threads = 1;
    });
    too_large(admit(little, &memory_bomb()).await, "more than 419430400 bytes of memory");
    let little = limited(|limits| limits.artifact_bytes = 1000);
    too_large(admit(little, &guests::succeed()).await, "at most 1000 are allowed");
}

#[tokio::test]
async fn a_compiler_that_does_not_end_is_ended() {
    let mut hurried = shell("exec sleep 1000");
    hurried.compile_limits.timeout = Duration::from_millis(100);
    too_large(soon(admit(hurried, &guests::succeed())).await, "longer than 0.1 s");
}

#[tokio::test]
async fn a_compiler_that_fails_is_no_end_of_the_host() {
    let component = guests::succeed();
    for (script, hint) in [
        ("exit 3", "failed on this component"),
        ("exit 0", "gave no whole answer"),
        ("cat", "gave no whole answer"),
        ("kill -s SEGV $$", "crashed on this component with signal 11"),
        ("kill -s KILL $$", "was killed"),
    ] {
        fails(soon(admit(shell(script), &component)).await, hint);
    }
    let missing = CompilerProgram { path: "/no/such/program".into(), arguments: Vec::new() };
    fails(admit(with(missing), &component).await, "could not be started");
}

#[tokio::test]
async fn a_version_that_is_compiled_again_is_compiled_behind_the_wall_too() {
    let component = guests::succeed();
    let report = run(&sandbox_with(shell("exit 3")), invocation(&component)).await;
    assert_failed(&report, FailureKind::Unavailable, "the compiler failed on this component");
    assert_output(&run(&sandbox_with(with(compiler())), invocation(&component)).await, None);
}

#[tokio::test]
async fn a_compiler_dies_with_the_wish_for_its_result() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // The pipe is open for as long as the process lives.
    let sandbox =
        sandbox_with(shell(&format!("exec 3>{}; echo started >&3; exec sleep 1000", fifo.display())));
    let admission = tokio::spawn(sandbox.admit(guests::succeed().into()));
    let started = tokio::task::spawn_blocking(move || {
        let mut pipe = File::open(&fifo).unwrap();
        let mut line = [0; 8];
        pipe.read_exact(&mut line).unwrap();
        pipe
    });
    let mut pipe = soon(started).await.unwrap();
    admission.abort();
    let end = tokio::task::spawn_blocking(move || pipe.read_to_end(&mut Vec::new()).unwrap());
    assert_eq!(soon(end).await.unwrap(), 0);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_compiler_gets_no_environment_and_no_open_file() {
    let folder = tempfile::tempdir().unwrap();
    let said = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let to = |name: &str| Path::display(&folder.path().join(name)).to_string();
    let script = format!(
        "tr '\\0' '\\n' </proc/$$/environ >{}; ls /proc/$$/fd >{}; exit 3",
        to("environment"),
        to("files")
    );
    fails(admit(shell(&script), &guests::succeed()).await, "failed");
    let threads = SandboxConfig::default().compile_limits.threads;
    assert_eq!(said("environment"), [format!("RAYON_NUM_THREADS={threads}")]);
    // What the shell opens for itself it puts at 10 and beyond.
    let files: Vec<String> = said("files").into_iter().filter(|number| number.len() == 1).collect();
    assert_eq!(files, ["0", "1", "2"]);
}
