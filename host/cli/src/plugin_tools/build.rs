//! `plugin build`: from a project to a component, in whatever language it is written.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::Value;

use super::inspect;
use crate::args::Build;
use crate::build::{self, Messages, NotBuilt};
use crate::dev::manifest::{FILE, Manifest};
use crate::exit::Failure;
use crate::output::Output;

/// Builds a project's component, and prints what it is and what it needs.
///
/// # Errors
/// The folder holds no project, a tool is missing, the build fails, or the host would refuse what came of it.
pub(crate) async fn build(args: &Build, output: Output) -> Result<(), Failure> {
    let directory = &args.directory;
    build::language(directory).map_err(Failure::Usage)?;
    let file = match &args.output {
        Some(file) => file.clone(),
        None => directory.join(format!("{}.wasm", name(directory)?)),
    };
    let component = component(directory).await?;
    std::fs::write(&file, &component).with_context(|| format!("cannot write {}", file.display()))?;
    let mut facts = inspect::look_into(component).await?;
    facts["file"] = file.display().to_string().into();
    output
        .answer(&facts, |facts: &Value| format!("built {}\n{}", file.display(), inspect::describe(facts)))?;
    Ok(())
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

async fn component(directory: &Path) -> Result<Vec<u8>, Failure> {
    build::prepare(directory).await?;
    match build::build(directory, Messages::Shown).await {
        Ok(built) => Ok(built.component),
        Err(NotBuilt::Other(error)) => Err(Failure::Failed(error)),
        Err(NotBuilt::Source(said)) => Err(Failure::Failed(anyhow!("the plugin does not build\n{said}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_the_plugin_or_else_the_folder_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(name(folder.path()).expect("a name"), own);
        std::fs::write(folder.path().join(FILE), "[plugin]\nname = \"shop\"\n").expect("a file");
        assert_eq!(name(folder.path()).expect("a name"), "shop");
    }
}
