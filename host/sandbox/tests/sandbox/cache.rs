//! Compiled components, in memory and on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use innkeeper_model::execution::FailureKind;
use innkeeper_model::sandbox::{Report, Sandbox as _};
use innkeeper_sandbox::SandboxConfig;

use crate::guests;
use crate::support::{assert_failed, assert_output, invocation, run, sandbox_with, stored};

fn on_disk(folder: &Path) -> SandboxConfig {
    SandboxConfig { cache_dir: Some(folder.to_owned()), ..SandboxConfig::default() }
}

fn artifact(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "artifact")).unwrap()
}

/// Runs `component` in a new sandbox over `folder`, with nothing to compile.
async fn run_from_disk(folder: &Path, component: &[u8]) -> Report {
    let mut invocation = invocation(component);
    invocation.state = stored(None);
    run(&sandbox_with(on_disk(folder)), invocation).await
}

#[tokio::test]
async fn the_next_start_of_the_host_need_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    let component = guests::succeed();
    sandbox_with(on_disk(folder.path())).admit(component.as_slice().into()).await.unwrap();
    assert_output(&run_from_disk(folder.path(), &component).await, None);
}

#[tokio::test]
async fn a_damaged_artifact_is_compiled_again_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let component = guests::succeed();
    sandbox_with(on_disk(folder.path())).admit(component.as_slice().into()).await.unwrap();
    let path = artifact(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_failed(&run_from_disk(folder.path(), &component).await, FailureKind::Unavailable, "gone");
    assert_output(&run(&sandbox_with(on_disk(folder.path())), invocation(&component)).await, None);
    assert_output(&run_from_disk(folder.path(), &component).await, None);
}

#[tokio::test]
async fn a_refused_component_leaves_no_artifact() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox_with(on_disk(folder.path()));
    sandbox.admit(guests::trap_at_start().into()).await.unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the key");
}

#[tokio::test]
async fn the_bytes_are_read_once_while_the_plugin_is_kept_ready() {
    let sandbox = sandbox_with(SandboxConfig::default());
    let component = guests::succeed();
    let state = stored(Some(&component));
    for _ in 0..3 {
        let mut invocation = invocation(&component);
        invocation.state = Arc::clone(&state) as _;
        assert_output(&run(&sandbox, invocation).await, None);
    }
    assert_eq!(state.reads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn plugins_used_longest_ago_are_evicted() {
    let sandbox = sandbox_with(SandboxConfig { loaded_bytes_max: 1, ..SandboxConfig::default() });
    let first = guests::succeed_as(1);
    let state = stored(Some(&first));
    for component in [first.clone(), guests::succeed_as(2), first] {
        let mut invocation = invocation(&component);
        if invocation.digest == innkeeper_model::id::Digest::of(&guests::succeed_as(1)) {
            invocation.state = Arc::clone(&state) as _;
        }
        assert_output(&run(&sandbox, invocation).await, None);
    }
    assert_eq!(state.reads.load(Ordering::SeqCst), 2);
}
