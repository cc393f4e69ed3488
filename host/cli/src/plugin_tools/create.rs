//! `plugin new`: a project that builds, passes its tests and runs.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::args::{Language, New};
use crate::build::{JAVASCRIPT_HELPER, PYTHON_HELPER};
use crate::exit::Failure;
use crate::output::Output;

const MANIFEST: &str = include_str!("templates/innkeeper.toml.txt");
/// What stands for the plugin's name in the files.
const NAME: &str = "@name@";
const IGNORED: &str = "/target/\n/.innkeeper/\n/node_modules/\n__pycache__/\n*.wasm\n";

/// Makes the project in a folder of the plugin's name.
///
/// # Errors
/// The folder is there already or cannot be written, or it is not said where the SDK is.
pub(crate) fn create(new: &New, output: Output) -> Result<(), Failure> {
    let name = new.name.as_str();
    let files = files(new)?;
    let folder = Path::new(name);
    fs::create_dir(folder)
        .with_context(|| format!("cannot make the folder {name}"))
        .map_err(Failure::Usage)?;
    for (path, text) in &files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        fs::write(&path, text.replace(NAME, name))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let test = match new.lang {
        Language::Rust => "cargo test",
        Language::Python => "python3 -m unittest",
        Language::JavaScript => "npm install && npm test",
    };
    output.show(&format!(
        "made {name}; what comes next:\n  cd {name}\n  {test}\n  innkeeper plugin build\n  \
        innkeeper plugin run {name}.wasm --event guest:arrived --data '{{\"name\": \"Ada\"}}'\n"
    ))?;
    Ok(())
}

/// The files, by their paths in the project.
fn files(new: &New) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut files = vec![("innkeeper.toml", MANIFEST.to_owned()), (".gitignore", IGNORED.to_owned())];
    match new.lang {
        Language::Rust => {
            let manifest = include_str!("templates/rust/Cargo.toml.txt").replace("@sdk@", &sdk(new)?);
            files.push(("Cargo.toml", manifest));
            files.push(("src/lib.rs", include_str!("templates/rust/lib.rs.txt").to_owned()));
        }
        Language::Python => {
            files.push(("app.py", include_str!("templates/python/app.py.txt").to_owned()));
            files.push(("test_app.py", include_str!("templates/python/test_app.py.txt").to_owned()));
            files.extend(PYTHON_HELPER.map(|(path, text)| (path, text.to_owned())));
        }
        Language::JavaScript => {
            files.push(("index.js", include_str!("templates/javascript/index.js.txt").to_owned()));
            files.push(("greet.js", include_str!("templates/javascript/greet.js.txt").to_owned()));
            files.push(("greet.test.js", include_str!("templates/javascript/greet.test.js.txt").to_owned()));
            files.push(("package.json", include_str!("templates/javascript/package.json.txt").to_owned()));
            files.push(("innkeeper.js", JAVASCRIPT_HELPER.to_owned()));
        }
    }
    Ok(files)
}

/// How the manifest names the SDK.
fn sdk(new: &New) -> Result<String, Failure> {
    if let Some(url) = &new.sdk_git {
        return Ok(format!("{{ git = {url:?} }}"));
    }
    let Some(path) = &new.sdk_path else {
        return Err(Failure::usage(
            "the SDK for Rust is not on a registry yet: say where it is with --sdk-path FOLDER (`sdk` in a copy of \
            Innkeeper's source) or --sdk-git URL",
        ));
    };
    let path = path
        .canonicalize()
        .with_context(|| format!("--sdk-path {}", path.display()))
        .map_err(Failure::Usage)?;
    let sdk = [path.join("sdk"), path.clone()].into_iter().find(|folder| is_sdk(folder)).ok_or_else(|| {
        Failure::usage(format!(
            "--sdk-path (or INNKEEPER_SDK_PATH) {}: this is not the SDK: it is the folder `sdk` of a copy of Innkeeper's source",
            path.display()
        ))
    })?;
    Ok(format!("{{ path = {:?} }}", sdk.display().to_string()))
}

/// Whether the crate in this folder is the SDK.
fn is_sdk(folder: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let manifest: Option<toml::Table> = manifest.parse().ok();
    let name = manifest.as_ref().and_then(|manifest| manifest.get("package")?.get("name")?.as_str());
    name == Some("innkeeper-sdk")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(lang: Language, sdk_git: Option<&str>) -> New {
        let name = "shop".parse().expect("a name");
        New { name, lang, sdk_path: None, sdk_git: sdk_git.map(str::to_owned) }
    }

    #[test]
    fn the_sdk_is_told_apart_from_other_folders() {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).expect("a workspace");
        for path in [root.to_owned(), root.join("sdk")] {
            let new = New { sdk_path: Some(path), ..new(Language::Rust, None) };
            assert!(sdk(&new).expect("the SDK").contains(&root.join("sdk").display().to_string()));
        }
        let other = New { sdk_path: Some(root.join("host/cli")), ..new(Language::Rust, None) };
        assert!(sdk(&other).expect_err("a refusal").message().contains("this is not the SDK"));
    }

    #[test]
    fn the_sdk_must_be_somewhere() {
        let error = files(&new(Language::Rust, None)).expect_err("a refusal");
        assert!(error.code() == 2 && error.message().contains("--sdk-path"), "{}", error.message());
        let files = files(&new(Language::Rust, Some("https://a.org/x.git"))).expect("files");
        let manifest = files.iter().find(|(path, _)| *path == "Cargo.toml").expect("a manifest");
        assert!(manifest.1.contains("innkeeper-sdk = { git = \"https://a.org/x.git\" }"), "{}", manifest.1);
    }

    #[test]
    fn every_project_has_a_manifest_that_dev_can_read() {
        for lang in [Language::Python, Language::JavaScript] {
            let files = files(&new(lang, None)).expect("files");
            assert_eq!(files[0].0, "innkeeper.toml");
        }
        let manifest = crate::dev::manifest::Manifest::parse(&MANIFEST.replace(NAME, "shop"));
        assert_eq!(manifest.expect("a manifest").name.as_str(), "shop");
    }
}
