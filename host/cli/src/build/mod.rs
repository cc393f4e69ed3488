//! From a project's folder to a component, in whatever language the project is written.

mod contract;
mod javascript;
mod python;
mod rust;
mod strip;
mod tool;

use std::path::Path;

use anyhow::bail;

pub(crate) use self::javascript::HELPER as JAVASCRIPT_HELPER;
pub(crate) use self::python::HELPER as PYTHON_HELPER;
use crate::args::Language;

/// The files that tell a project's language.
const SIGNS: [(&str, Language); 3] =
    [("Cargo.toml", Language::Rust), ("app.py", Language::Python), ("package.json", Language::JavaScript)];

/// Where the messages of the tools go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Messages {
    /// To the terminal, as they come.
    Shown,
    /// Into the result: errors and warnings.
    Kept,
}

/// A built component.
#[derive(Debug)]
pub(crate) struct Built {
    /// The component.
    pub(crate) component: Vec<u8>,
    /// Warnings, if they were kept.
    pub(crate) warnings: String,
}

/// A project was not built.
#[derive(Debug)]
pub(crate) enum NotBuilt {
    /// Its source is wrong. The tool says why; what was shown already is not repeated.
    Source(String),
    /// It did not come to that.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for NotBuilt {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Builds the project in `directory`.
///
/// # Errors
/// [`NotBuilt::Source`] if its author has something to mend; [`NotBuilt::Other`] if a tool is missing or the folder is no project.
pub(crate) async fn build(directory: &Path, messages: Messages) -> Result<Built, NotBuilt> {
    let built = match language(directory)? {
        Language::Rust => rust::build(directory, messages).await,
        Language::Python => python::build(directory, messages).await,
        Language::JavaScript => javascript::build(directory, messages).await,
    }?;
    Ok(Built { component: strip::strip(built.component), ..built })
}

/// Sees to it that the project in `directory` can be built here, as far as that can be known and done beforehand.
///
/// # Errors
/// It cannot, with what to do about it.
pub(crate) async fn prepare(directory: &Path) -> anyhow::Result<()> {
    match language(directory)? {
        Language::Rust => rust::ensure_target(directory).await,
        Language::Python | Language::JavaScript => Ok(()),
    }
}

/// What the project in `directory` is written in.
///
/// # Errors
/// It holds no project, or several.
pub(crate) fn language(directory: &Path) -> anyhow::Result<Language> {
    let found: Vec<&(&str, Language)> =
        SIGNS.iter().filter(|(file, _)| directory.join(file).is_file()).collect();
    let names =
        |files: &[&(&str, Language)]| files.iter().map(|(file, _)| *file).collect::<Vec<_>>().join(", ");
    match found.as_slice() {
        [(_, language)] => Ok(*language),
        [] => bail!(
            "there is no plugin in {}: it would have one of {}; `innkeeper plugin new` makes one",
            directory.display(),
            names(&SIGNS.iter().collect::<Vec<_>>())
        ),
        several => bail!(
            "{} has several of {}, and a plugin is written in one language: keep one",
            directory.display(),
            names(several)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_in_one_language() {
        let folder = tempfile::tempdir().expect("a folder");
        let message = |folder: &Path| language(folder).expect_err("a refusal").to_string();
        assert!(message(folder.path()).contains("innkeeper plugin new"));
        std::fs::write(folder.path().join("app.py"), "").expect("a file");
        assert!(matches!(language(folder.path()), Ok(Language::Python)));
        std::fs::write(folder.path().join("package.json"), "").expect("a file");
        assert!(message(folder.path()).contains("app.py, package.json"));
    }
}
