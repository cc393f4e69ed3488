//! Building JavaScript: rolldown makes one module of a project's, componentize-js a component of that.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::tool::{Tool, lay_out, made};
use super::{Built, Messages, NotBuilt, contract};

/// The helper module.
pub(crate) const HELPER: &str = include_str!("../../../../sdk/javascript/innkeeper.js");

const BUNDLING: &str = include_str!("rolldown.config.mjs");
const REMEDY: &str = "npm install --save-dev @bytecodealliance/componentize-js@0.23.0 rolldown@1.3.2";
const BUNDLER: Tool = Tool { name: "rolldown", folder: "node_modules/.bin", remedy: REMEDY };
const COMPILER: Tool = Tool { name: "componentize-js", folder: "node_modules/.bin", remedy: REMEDY };

/// What a bundle needs of the host.
#[derive(Deserialize)]
struct Needs {
    imports: BTreeSet<String>,
    fetches: bool,
}

/// Builds the project whose handler is in the module that `package.json` calls `main`.
pub(super) async fn build(directory: &Path, messages: Messages) -> Result<Built, NotBuilt> {
    let bundling = BUNDLING.replace("@main@", &main_module(directory)?);
    let files = [("innkeeper.js", HELPER), ("rolldown.config.mjs", bundling.as_str())];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let workshop = lay_out(directory, &files)?;
    let arguments = ["--config", ".innkeeper/rolldown.config.mjs", "--logLevel", "warn"];
    let mut said = BUNDLER.run(directory, &arguments, messages).await?;
    let needs: Needs = serde_json::from_slice(&made(&workshop, "needs.json")?).context("needs.json")?;
    lay_out(directory, &under_wit(contract::files(&needs.imports)))?;
    let mut arguments =
        vec![".innkeeper/bundle.js", "--wit", ".innkeeper/wit", "--world-name", contract::WORLD];
    // With `fetch-event` a component would answer web requests besides, and could not be told from one that means to.
    arguments.extend(["--out", ".innkeeper/plugin.wasm", "--disable", "fetch-event"]);
    if !needs.fetches {
        arguments.push("http");
    }
    said.push_str(&COMPILER.run(directory, &arguments, messages).await?);
    Ok(Built { component: made(&workshop, "plugin.wasm")?, warnings: said })
}

fn under_wit(files: Vec<(String, String)>) -> Vec<(String, String)> {
    files.into_iter().map(|(path, text)| (format!("wit/{path}"), text)).collect()
}

fn main_module(directory: &Path) -> anyhow::Result<String> {
    let path = directory.join("package.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let package: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    let main = package["main"].as_str().unwrap_or("index.js");
    if directory.join(main).is_file() && !main.contains(['\'', '\\']) {
        return Ok(main.to_owned());
    }
    bail!("{}: `main` is `{main}`, and there is no such module", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_module_must_be_there() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("package.json"), r#"{"main": "x.js"}"#).expect("a file");
        assert!(main_module(folder.path()).expect_err("a refusal").to_string().contains("`x.js`"));
        fs::write(folder.path().join("x.js"), "").expect("a file");
        assert_eq!(main_module(folder.path()).expect("a module"), "x.js");
    }
}
