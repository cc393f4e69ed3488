//! Building Python and JavaScript: the tools of their ecosystems, given the contract and our helper module.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, anyhow};
use tokio::process::Command;

use crate::exit::Failure;

/// The helper module for Python.
pub(crate) const PYTHON_HELPER: &str = include_str!("../../../../../sdk/python/innkeeper.py");
/// The helper module for JavaScript.
pub(crate) const JAVASCRIPT_HELPER: &str = include_str!("../../../../../sdk/javascript/innkeeper.js");
/// The contract, for tools that make bindings of it.
const WIT: [(&str, &str); 5] = [
    ("world.wit", include_str!("../../../../../wit/world.wit")),
    ("handler.wit", include_str!("../../../../../wit/handler.wit")),
    ("context.wit", include_str!("../../../../../wit/context.wit")),
    ("events.wit", include_str!("../../../../../wit/events.wit")),
    ("deps/logging/logging.wit", include_str!("../../../../../wit/deps/logging/logging.wit")),
];
/// The world of it that a plugin is built for.
const WORLD: &str = "plugin";
/// Where what a build needs is put, in the project's folder.
const WORKSHOP: &str = ".innkeeper";
/// Bundles a project's modules and ours into one, which is what componentize-js takes.
const BUNDLE: &str = "import { fileURLToPath } from 'node:url';
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
export default {
  input: here('../MAIN'),
  external: /^(innkeeper|wasi):/,
  resolve: { alias: { innkeeper: here('./innkeeper.js') } },
  output: { file: here('./bundle.js'), format: 'esm' },
};
";

/// Builds with componentize-py. The handler is in `app.py`.
///
/// # Errors
/// The tool is missing, or it fails; it has said why.
pub(super) async fn build_python(directory: &Path) -> Result<Vec<u8>, Failure> {
    let workshop = prepare(directory, &[("innkeeper.py", PYTHON_HELPER)])?;
    let tool = tool(directory, "componentize-py", ".venv/bin");
    let remedy = "pip install componentize-py==0.25.1";
    let mut command = Command::new(tool);
    command.args(["--quiet", "--wit-path", ".innkeeper/wit", "--world", WORLD, "componentize", "app"]);
    // The project's own modules go before ours of the same name.
    command.args(["--python-path", ".", "--python-path", WORKSHOP, "--output", ".innkeeper/plugin.wasm"]);
    run(command, directory, "componentize-py", remedy).await?;
    result(&workshop)
}

/// Bundles with rolldown and builds with componentize-js. The handler is in the module that `package.json` calls `main`.
///
/// # Errors
/// A tool is missing, or it fails; it has said why.
pub(super) async fn build_javascript(directory: &Path) -> Result<Vec<u8>, Failure> {
    let bundle = BUNDLE.replace("MAIN", &main_module(directory)?);
    let workshop =
        prepare(directory, &[("innkeeper.js", JAVASCRIPT_HELPER), ("rolldown.config.mjs", &bundle)])?;
    let remedy = "npm install --save-dev @bytecodealliance/componentize-js@0.23.0 rolldown@1.3.2";
    let mut bundler = Command::new(tool(directory, "rolldown", "node_modules/.bin"));
    bundler.args(["--config", ".innkeeper/rolldown.config.mjs", "--logLevel", "warn"]);
    run(bundler, directory, "rolldown", remedy).await?;
    let mut command = Command::new(tool(directory, "componentize-js", "node_modules/.bin"));
    command.args([".innkeeper/bundle.js", "--wit", ".innkeeper/wit", "--world-name", WORLD]);
    // Without these a component would answer web requests besides, and could not be told from one that means to.
    command.args(["--disable", "http", "fetch-event", "--out", ".innkeeper/plugin.wasm"]);
    run(command, directory, "componentize-js", remedy).await?;
    result(&workshop)
}

fn main_module(directory: &Path) -> Result<String, Failure> {
    let path = directory.join("package.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let package: serde_json::Value = serde_json::from_str(&text)
        .with_context(|| format!("{} is not JSON", path.display()))
        .map_err(Failure::Usage)?;
    let main = package["main"].as_str().unwrap_or("index.js");
    if directory.join(main).is_file() && !main.contains(['\'', '\\']) {
        return Ok(main.to_owned());
    }
    Err(Failure::usage(format!("{}: `main` is `{main}`, and there is no such module", path.display())))
}

/// Puts the contract and `files` into the workshop, and gives its path.
fn prepare(directory: &Path, files: &[(&str, &str)]) -> anyhow::Result<PathBuf> {
    let workshop = directory.join(WORKSHOP);
    let contract = WIT.iter().map(|(path, text)| (format!("wit/{path}"), *text));
    for (path, text) in contract.chain(files.iter().map(|(path, text)| ((*path).to_owned(), *text))) {
        let path = workshop.join(path);
        let folder = path.parent().unwrap_or(&workshop);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(workshop)
}

/// The tool of the project itself, or else whatever the system finds by its name.
fn tool(directory: &Path, name: &str, folder: &str) -> PathBuf {
    let own = directory.join(folder).join(name);
    own.canonicalize().unwrap_or_else(|_| name.into())
}

async fn run(mut command: Command, directory: &Path, name: &str, remedy: &str) -> Result<(), Failure> {
    // Standard output is for what was asked for.
    let status =
        command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).status();
    match status.await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Failed(anyhow!("the plugin does not build: {name} ended with {status}"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::Failed(anyhow!(
            "{name} is not installed: run `{remedy}` in {}",
            directory.display()
        ))),
        Err(error) => Err(Failure::Failed(anyhow!("cannot start {name}: {error}"))),
    }
}

fn result(workshop: &Path) -> Result<Vec<u8>, Failure> {
    let path = workshop.join("plugin.wasm");
    Ok(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_tool_comes_with_the_command_that_installs_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let failure =
            run(Command::new("no-such-tool"), folder.path(), "no-such-tool", "pip install it").await;
        let message = failure.expect_err("a failure").message();
        assert!(message.contains("no-such-tool is not installed: run `pip install it`"), "{message}");
    }

    #[test]
    fn the_projects_own_tool_goes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(tool(folder.path(), "tool", "bin"), Path::new("tool"));
        fs::create_dir(folder.path().join("bin")).expect("a folder");
        fs::write(folder.path().join("bin/tool"), "").expect("a file");
        assert!(tool(folder.path(), "tool", "bin").is_absolute());
    }

    #[test]
    fn the_main_module_must_be_there() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("package.json"), r#"{"main": "x.js"}"#).expect("a file");
        assert!(main_module(folder.path()).expect_err("a refusal").message().contains("`x.js`"));
        fs::write(folder.path().join("x.js"), "").expect("a file");
        assert_eq!(main_module(folder.path()).expect("a module"), "x.js");
    }
}
