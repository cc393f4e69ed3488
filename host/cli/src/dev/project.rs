//! A plugin's folder: what its author declares, and what was built from it last.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use console::measure_text_width;
use innkeeper_model::id::Digest;
use innkeeper_model::task_config::TaskConfig;

use super::manifest::Manifest;
use super::print::Widths;
use crate::args::Language;
use crate::build::{Built, Messages, NotBuilt, build, language};

/// A plugin's folder.
pub(super) struct Project {
    /// Where it is, as the system spells it.
    pub(super) directory: PathBuf,
    /// What it is written in.
    pub(super) language: Language,
    /// What its author declares.
    pub(super) manifest: Manifest,
    /// What was built last; `None` until something was.
    pub(super) component: Option<Arc<[u8]>>,
    /// The version that runs.
    pub(super) digest: Option<Digest>,
    /// The tasks that are set up.
    pub(super) tasks: Vec<TaskConfig>,
}

/// Opens plugins' folders.
///
/// # Errors
/// One is no plugin's folder, or two declare the same plugin or task.
pub(super) fn open(directories: &[PathBuf]) -> anyhow::Result<Vec<Project>> {
    let projects =
        directories.iter().map(|directory| open_one(directory)).collect::<anyhow::Result<Vec<_>>>()?;
    let (mut plugins, mut tasks) = (BTreeSet::new(), BTreeSet::new());
    for project in &projects {
        if !plugins.insert(project.manifest.name.as_str()) {
            bail!("two folders declare the plugin {}", project.manifest.name);
        }
        for task in &project.manifest.tasks {
            if !tasks.insert(task.id.as_str()) {
                bail!("the task {} is declared twice", task.id);
            }
        }
    }
    Ok(projects)
}

fn open_one(directory: &Path) -> anyhow::Result<Project> {
    let found = directory.canonicalize();
    let directory = found.with_context(|| format!("cannot open the folder {}", directory.display()))?;
    let manifest = Manifest::read(&directory)?;
    let language = language(&directory)?;
    Ok(Project { directory, language, manifest, component: None, digest: None, tasks: Vec::new() })
}

/// How wide the columns for these plugins' executions have to be.
pub(super) fn widths(projects: &[Project]) -> Widths {
    let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(measure_text_width).max().unwrap_or(0);
    let manifests = || projects.iter().map(|project| &project.manifest);
    let mut tasks = manifests().flat_map(|manifest| &manifest.tasks).map(|task| task.id.as_str());
    let mut events = manifests().filter_map(|manifest| Some(manifest.example.as_ref()?.event.as_str()));
    Widths { task: widest(&mut tasks), trigger: widest(&mut events) }
}

impl Project {
    /// Builds it and keeps the component. Gives what the tools had to say, and whether it built; what was
    /// built before stays if it did not.
    ///
    /// # Errors
    /// A tool cannot be used, or builds something else than a component.
    pub(super) async fn build(&mut self, messages: Messages) -> anyhow::Result<(bool, String)> {
        match build(&self.directory, messages).await {
            Ok(Built { component, warnings }) => {
                self.component = Some(component.into());
                Ok((true, warnings))
            }
            Err(NotBuilt::Source(said)) => Ok((false, said)),
            Err(NotBuilt::Other(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_folders_may_not_declare_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &str, manifest: &str| {
            let directory = folder.path().join(name);
            std::fs::create_dir(&directory).expect("a folder");
            std::fs::write(directory.join("innkeeper.toml"), manifest).expect("a file");
            std::fs::write(directory.join("Cargo.toml"), "").expect("a file");
            directory
        };
        let task = |plugin: &str| {
            format!("[plugin]\nname = '{plugin}'\n[[task]]\nid = 'same'\ntype = 'event'\nonEvent = 'e'")
        };
        let (a, b, c) = (make("a", &task("a")), make("b", &task("b")), make("c", "[plugin]\nname = 'a'"));
        let opened = open(std::slice::from_ref(&a)).expect("a plugin");
        assert_eq!(widths(&opened), Widths { task: 4, trigger: 1 });
        let refused = |directories: &[PathBuf]| open(directories).err().map(|error| error.to_string());
        assert_eq!(refused(&[a.clone(), b]).as_deref(), Some("the task same is declared twice"));
        assert_eq!(refused(&[a, c]).as_deref(), Some("two folders declare the plugin a"));
        assert!(
            refused(&[folder.path().join("none")])
                .is_some_and(|error| error.contains("cannot open the folder"))
        );
    }
}
