//! Building Rust: cargo makes a component of a crate.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::{Built, Messages, NotBuilt};

/// What plugins are built for.
const TARGET: &str = "wasm32-wasip2";

/// Builds the crate in `directory`, in a target folder that it shares with no other build: nobody waits for nobody.
pub(super) async fn build(directory: &Path, messages: Messages) -> Result<Built, NotBuilt> {
    let metadata = metadata(directory).await?;
    let profile = metadata.profile();
    let mut cargo = Command::new("cargo");
    cargo.args([
        "build",
        "--profile",
        profile,
        "--target",
        TARGET,
        "--message-format",
        "json-render-diagnostics",
    ]);
    // Line tables would make the component many times larger, and nobody reads them.
    cargo.args(["--config", &format!("profile.{profile}.debug=0")]);
    cargo.arg("--target-dir").arg(metadata.target_directory.join("innkeeper-plugins"));
    match messages {
        Messages::Shown => cargo.stderr(Stdio::inherit()),
        Messages::Kept if console::colors_enabled_stderr() => cargo.args(["--quiet", "--color", "always"]),
        Messages::Kept => cargo.arg("--quiet"),
    };
    let output = run(cargo, directory).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(NotBuilt::Source(said));
    }
    let path = component(&output.stdout, directory)?;
    let component = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Built { component, warnings: said })
}

async fn run(mut command: Command, directory: &Path) -> anyhow::Result<Output> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn();
    let child = child.with_context(|| format!("cannot start `{program}` in {}", directory.display()))?;
    Ok(child.wait_with_output().await?)
}

/// What cargo says of a workspace.
#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
    /// The table `workspace.metadata`.
    metadata: Option<Value>,
}

impl Metadata {
    /// The profile that the workspace builds plugins with: `workspace.metadata.innkeeper.profile`, or `release`.
    fn profile(&self) -> &str {
        let named = self.metadata.as_ref().and_then(|metadata| metadata["innkeeper"]["profile"].as_str());
        named.unwrap_or("release")
    }
}

async fn metadata(directory: &Path) -> anyhow::Result<Metadata> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::piped());
    let output = run(cargo, directory).await?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata")
}

#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: ArtifactTarget,
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct ArtifactTarget {
    kind: Vec<String>,
}

/// The component among the artifacts that cargo reported.
fn component(messages: &[u8], directory: &Path) -> anyhow::Result<PathBuf> {
    let manifest = directory.join("Cargo.toml");
    let manifest = manifest.canonicalize().with_context(|| format!("cannot find {}", manifest.display()))?;
    let lines = messages.split(|byte| *byte == b'\n');
    let artifacts = lines.filter_map(|line| serde_json::from_slice::<Artifact>(line).ok());
    let mut components = artifacts
        .filter(|artifact| {
            artifact.manifest_path == manifest && artifact.target.kind.contains(&"cdylib".to_owned())
        })
        .flat_map(|artifact| artifact.filenames)
        .filter(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    components.next_back().with_context(|| {
        format!(
            "{} builds no component: a plugin has `[lib]` with `crate-type = [\"cdylib\"]`",
            manifest.display()
        )
    })
}

/// Makes sure that the compiler in `directory` can build for [`TARGET`], and installs what is missing if rustup can.
///
/// # Errors
/// It cannot, with what to do about it.
pub(super) async fn ensure_target(directory: &Path) -> anyhow::Result<()> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]).stderr(Stdio::inherit());
    let output = run(rustc, directory)
        .await
        .context("plugins are built with Rust: install it from https://rustup.rs")?;
    ensure!(output.status.success(), "`rustc --print sysroot` failed in {}", directory.display());
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    eprintln!("adding the Rust target {TARGET}, which plugins are built for");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).stderr(Stdio::inherit());
    let added = run(rustup, directory).await;
    let remedy = format!(
        "the compiler in {} cannot build for {TARGET}: run `rustup target add {TARGET}`, or install the standard \
         library for it the way Rust was installed",
        sysroot.display()
    );
    ensure!(added.is_ok_and(|output| output.status.success()), remedy);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn artifact(manifest: &Path, kind: &str, file: &str) -> String {
        json!({"reason": "compiler-artifact", "manifest_path": manifest, "target": {"kind": [kind]}, "filenames": [file]})
            .to_string()
    }

    #[test]
    fn a_workspace_may_name_the_profile_for_plugins() {
        let profile = |metadata: Value| {
            let read: Metadata =
                serde_json::from_value(json!({"target_directory": "/t", "metadata": metadata}))
                    .expect("metadata");
            read.profile().to_owned()
        };
        assert_eq!(profile(Value::Null), "release");
        assert_eq!(profile(json!({"other": 1})), "release");
        assert_eq!(profile(json!({"innkeeper": {"profile": "small"}})), "small");
    }

    #[test]
    fn the_component_is_the_crates_own_library() {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = folder.path().join("Cargo.toml");
        std::fs::write(&manifest, "").expect("a file");
        let own = manifest.canonicalize().expect("a path");
        let messages = [
            artifact(Path::new("/elsewhere/Cargo.toml"), "cdylib", "/t/other.wasm"),
            artifact(&own, "custom-build", "/t/build-script"),
            artifact(&own, "cdylib", "/t/plugin.wasm"),
            json!({"reason": "build-finished", "success": true}).to_string(),
        ];
        let found = component(messages.join("\n").as_bytes(), folder.path());
        assert_eq!(found.expect("a component"), Path::new("/t/plugin.wasm"));
        let missing = component(messages[0].as_bytes(), folder.path()).expect_err("no component").to_string();
        assert!(missing.contains("crate-type"), "{missing}");
    }
}
