//! `plugin build`: from a project to a component, in whatever language it is written.

mod foreign;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::Value;

pub(super) use self::foreign::{JAVASCRIPT_HELPER, PYTHON_HELPER};
use super::inspect;
use crate::args::{Build, Language};
use crate::dev::build::{self as rust, Messages, NotBuilt};
use crate::dev::manifest::{FILE, Manifest};
use crate::exit::Failure;
use crate::output::Output;

/// The files that tell a project's language.
const SIGNS: [(&str, Language); 3] =
    [("Cargo.toml", Language::Rust), ("app.py", Language::Python), ("package.json", Language::JavaScript)];

/// Builds a project's component, and prints what it is and what it needs.
///
/// # Errors
/// The folder holds no project, a tool is missing, the build fails, or the host would refuse what came of it.
pub(crate) async fn build(args: &Build, output: Output) -> Result<(), Failure> {
    let directory = &args.directory;
    let language = language(directory)?;
    let file = match &args.output {
        Some(file) => file.clone(),
        None => directory.join(format!("{}.wasm", name(directory)?)),
    };
    let component = match language {
        Language::Rust => build_rust(directory).await?,
        Language::Python => foreign::build_python(directory).await?,
        Language::JavaScript => foreign::build_javascript(directory).await?,
    };
    std::fs::write(&file, &component).with_context(|| format!("cannot write {}", file.display()))?;
    let mut facts = inspect::look_into(component).await?;
    facts["file"] = file.display().to_string().into();
    output
        .answer(&facts, |facts: &Value| format!("built {}\n{}", file.display(), inspect::describe(facts)))?;
    Ok(())
}

fn language(directory: &Path) -> Result<Language, Failure> {
    let found: Vec<&(&str, Language)> =
        SIGNS.iter().filter(|(file, _)| directory.join(file).is_file()).collect();
    let names =
        |files: &[&(&str, Language)]| files.iter().map(|(file, _)| *file).collect::<Vec<_>>().join(", ");
    match found.as_slice() {
        [(_, language)] => Ok(*language),
        [] => Err(Failure::usage(format!(
            "there is no plugin in {}: it would have one of {}; `innkeeper plugin new` makes one",
            directory.display(),
            names(&SIGNS.iter().collect::<Vec<_>>())
        ))),
        several => Err(Failure::usage(format!(
            "{} has several of {}, and a plugin is written in one language: keep one",
            directory.display(),
            names(several)
        ))),
    }
}

/// The plugin's name: the manifest's, or else the folder's.
fn name(directory: &Path) -> Result<String, Failure> {
    if directory.join(FILE).is_file() {
        return Ok(Manifest::read(directory).map_err(Failure::Usage)?.name.to_string());
    }
    let full: PathBuf = directory.canonicalize().with_context(|| directory.display().to_string())?;
    let name = full.file_name().ok_or_else(|| anyhow!("{} has no name", full.display()))?;
    Ok(name.to_string_lossy().into_owned())
}

async fn build_rust(directory: &Path) -> Result<Vec<u8>, Failure> {
    rust::ensure_target(directory).await?;
    match rust::build(directory, Messages::Shown).await {
        Ok(built) => Ok(built.component),
        Err(NotBuilt::Other(error)) => Err(Failure::Failed(error)),
        Err(NotBuilt::Compiler(said)) => Err(Failure::Failed(anyhow!("the plugin does not build\n{said}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_in_one_language() {
        let folder = tempfile::tempdir().expect("a folder");
        let message = |folder: &Path| language(folder).expect_err("a refusal").message();
        assert!(message(folder.path()).contains("innkeeper plugin new"));
        std::fs::write(folder.path().join("app.py"), "").expect("a file");
        assert!(matches!(language(folder.path()), Ok(Language::Python)));
        std::fs::write(folder.path().join("package.json"), "").expect("a file");
        assert!(message(folder.path()).contains("app.py, package.json"));
    }

    #[test]
    fn the_manifest_names_the_plugin_or_else_the_folder_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(name(folder.path()).expect("a name"), own);
        std::fs::write(folder.path().join(FILE), "[plugin]\nname = \"shop\"\n").expect("a file");
        assert_eq!(name(folder.path()).expect("a name"), "shop");
    }
}
