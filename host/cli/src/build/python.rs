//! Building Python: componentize-py makes a component of a project's modules and ours.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::tool::{Tool, lay_out, made};
use super::{Built, Messages, NotBuilt, contract};

/// The helper package: its modules by their paths.
pub(crate) const HELPER: [(&str, &str); 8] = [
    ("innkeeper/__init__.py", include_str!("../../../../sdk/python/innkeeper/__init__.py")),
    ("innkeeper/_host.py", include_str!("../../../../sdk/python/innkeeper/_host.py")),
    ("innkeeper/_http_errors.py", include_str!("../../../../sdk/python/innkeeper/_http_errors.py")),
    ("innkeeper/_wasi_http.py", include_str!("../../../../sdk/python/innkeeper/_wasi_http.py")),
    ("innkeeper/config.py", include_str!("../../../../sdk/python/innkeeper/config.py")),
    ("innkeeper/http.py", include_str!("../../../../sdk/python/innkeeper/http.py")),
    ("innkeeper/kv.py", include_str!("../../../../sdk/python/innkeeper/kv.py")),
    ("innkeeper/testing.py", include_str!("../../../../sdk/python/innkeeper/testing.py")),
];

const COMPILER: Tool =
    Tool { name: "componentize-py", folder: ".venv/bin", remedy: "pip install componentize-py==0.25.1" };
/// What every handler has.
const IMPORTS: [&str; 3] = ["context", "events", "wasi:logging/logging"];
/// What comes with each module of the helper package.
const MODULES: [(&str, &[&str]); 3] = [
    ("config", &["wasi:config/store@0.2.0-rc.1"]),
    ("http", &["wasi:http/outgoing-handler@0.2.0", "wasi:clocks/monotonic-clock@0.2.0"]),
    ("kv", &["wasi:keyvalue/store@0.2.0-draft2", "wasi:keyvalue/atomics@0.2.0-draft2"]),
];

/// Builds the project whose handler is in `app.py`.
pub(super) async fn build(directory: &Path, messages: Messages) -> Result<Built, NotBuilt> {
    let imports = needs(directory)?;
    let helper = HELPER.iter().map(|(path, text)| (format!("python/{path}"), (*text).to_owned()));
    let wit = contract::files(&imports).into_iter().map(|(path, text)| (format!("wit/{path}"), text));
    let workshop = lay_out(directory, &helper.chain(wit).collect::<Vec<_>>())?;
    let mut arguments = vec!["--quiet", "--wit-path", ".innkeeper/wit", "--world", contract::WORLD];
    // The project's own modules go before ours of the same name.
    arguments.extend(["componentize", "app", "--python-path", ".", "--python-path", ".innkeeper/python"]);
    arguments.extend(["--output", ".innkeeper/plugin.wasm"]);
    let warnings = COMPILER.run(directory, &arguments, messages).await?;
    Ok(Built { component: made(&workshop, "plugin.wasm")?, warnings })
}

/// The interfaces that a project's modules use.
fn needs(directory: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut imports: BTreeSet<String> = IMPORTS.map(str::to_owned).into();
    for path in sources(directory)? {
        let source = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let used = helper_modules(&String::from_utf8_lossy(&source));
        let of_used = MODULES.iter().filter(|(module, _)| used.contains(*module));
        imports.extend(of_used.flat_map(|(_, imports)| *imports).map(|&import| import.to_owned()));
    }
    Ok(imports)
}

/// The project's modules, without tests, installed packages and its copy of the helper package.
fn sources(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_test = name.starts_with("test") || name.ends_with("_test.py") || name == "conftest.py";
            if is_test || name.starts_with('.') {
                continue;
            }
            let is_foreign = ["__pycache__", "innkeeper", "node_modules"].contains(&name.as_str());
            if path.is_dir() && !is_foreign && !path.join("pyvenv.cfg").is_file() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "py") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// The modules of the helper package that a source imports by name.
fn helper_modules(source: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for (start, line) in source.match_indices("import").map(|(at, _)| line_at(source, at)) {
        let statement = line.trim_start();
        if let Some(names) = statement.strip_prefix("from innkeeper import") {
            let all = &source[start + (line.len() - names.len())..];
            let is_list = names.trim_start().starts_with('(');
            let end = all.find(if is_list { ')' } else { '\n' }).unwrap_or(all.len());
            modules.extend(words(&all[..end]));
        } else if let Some(rest) = statement.strip_prefix("from innkeeper.") {
            modules.extend(words(rest).next());
        } else if let Some(names) = statement.strip_prefix("import ") {
            let paths = names.split(',').filter_map(|name| name.trim_start().strip_prefix("innkeeper."));
            modules.extend(paths.filter_map(|path| words(path).next()));
        }
    }
    modules
}

/// The line of a source that has this position, and where it starts.
fn line_at(source: &str, at: usize) -> (usize, &str) {
    let start = source[..at].rfind('\n').map_or(0, |end| end + 1);
    (start, source[start..].lines().next().unwrap_or_default())
}

/// The words of a text, as far as they are not behind a `#` in their line.
fn words(text: &str) -> impl Iterator<Item = String> {
    let code = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let words = code.flat_map(|line| line.split(|letter: char| !letter.is_alphanumeric() && letter != '_'));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_the_helper_are_found_however_they_are_imported() {
        for (source, expected) in [
            ("import innkeeper\nimport json", &[][..]),
            ("from innkeeper import kv", &["kv"]),
            ("x = 1\n    from innkeeper import Retry, http as web  # kv", &["Retry", "as", "http", "web"]),
            (
                "from innkeeper import (  # both\n    kv,\n    http,  # not config\n)\nconfig = 1",
                &["http", "kv"],
            ),
            ("import json, innkeeper.kv as store", &["kv"]),
            ("from innkeeper.config import require", &["config"]),
            ("from innkeepers import kv\nimport innkeeper_kv\nkv = important", &[]),
        ] {
            let found: Vec<String> = helper_modules(source).into_iter().collect();
            assert_eq!(found, expected, "{source}");
        }
    }

    #[test]
    fn a_project_needs_what_its_own_modules_import() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write("app.py", "import innkeeper\nfrom shop import prices\n");
        write("shop/prices.py", "from innkeeper import config\n");
        for foreign in ["test_app.py", "tests/one.py", "innkeeper/http.py", ".venv/x.py", "env/lib/x.py"] {
            write(foreign, "from innkeeper import http\n");
        }
        write("env/pyvenv.cfg", "");
        let needs = needs(folder.path()).expect("the sources can be read");
        let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
        assert_eq!(needs, ["context", "events", "wasi:config/store@0.2.0-rc.1", "wasi:logging/logging"]);
    }
}
