//! Running the tools of other languages' ecosystems.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, anyhow};
use tokio::process::Command;

use super::{Messages, NotBuilt};

/// Where what a build needs and makes is put, in the project's folder.
pub(super) const WORKSHOP: &str = ".innkeeper";

/// A tool, and how to get it.
pub(super) struct Tool {
    /// The program's name.
    pub(super) name: &'static str,
    /// The project's folder in which its own copy of it would be.
    pub(super) folder: &'static str,
    /// What installs it.
    pub(super) remedy: &'static str,
}

impl Tool {
    /// Runs it in the project's folder, and gives what it has said if that is kept.
    ///
    /// # Errors
    /// [`NotBuilt::Source`] if it fails; [`NotBuilt::Other`] if it is not installed.
    pub(super) async fn run(
        &self,
        directory: &Path,
        arguments: &[&str],
        messages: Messages,
    ) -> Result<String, NotBuilt> {
        let mut command = Command::new(self.program(directory));
        command.args(arguments).current_dir(directory).stdin(Stdio::null()).kill_on_drop(true);
        let ended = if messages == Messages::Shown {
            // Standard output is for what was asked for.
            let shown = command.stdout(Stdio::null()).status().await;
            shown.map(|status| (status, String::new()))
        } else {
            let kept = command.output().await;
            kept.map(|output| (output.status, String::from_utf8_lossy(&output.stderr).into_owned()))
        };
        match ended {
            Ok((status, said)) if status.success() => Ok(said),
            Ok((status, said)) => {
                Err(NotBuilt::Source(format!("{}{} ended with {status}\n", relevant(&said), self.name)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(NotBuilt::Other(anyhow!(
                "{} is not installed: run `{}` in {}",
                self.name,
                self.remedy,
                directory.display()
            ))),
            Err(error) => Err(NotBuilt::Other(anyhow!("cannot start {}: {error}", self.name))),
        }
    }

    /// The tool of the project itself, or else whatever the system finds by its name.
    fn program(&self, directory: &Path) -> PathBuf {
        let own = directory.join(self.folder).join(self.name);
        own.canonicalize().unwrap_or_else(|_| self.name.into())
    }
}

/// What a tool has said, without the tool's own insides, which tell a plugin's author nothing.
fn relevant(said: &str) -> String {
    let end = said.find("\nStack backtrace:").unwrap_or(said.len());
    let mut text = said[..end].trim_end().to_owned();
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Puts `files` into the project's workshop, and gives its path.
///
/// # Errors
/// A file cannot be written.
pub(super) fn lay_out(directory: &Path, files: &[(String, String)]) -> anyhow::Result<PathBuf> {
    let workshop = directory.join(WORKSHOP);
    for (path, text) in files {
        let path = workshop.join(path);
        let folder = path.parent().unwrap_or(&workshop);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(workshop)
}

/// A file that a tool has made.
///
/// # Errors
/// It is not there.
pub(super) fn made(workshop: &Path, name: &str) -> anyhow::Result<Vec<u8>> {
    let path = workshop.join(name);
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: Tool = Tool { name: "no-such-tool", folder: "bin", remedy: "pip install it" };

    #[tokio::test]
    async fn a_missing_tool_comes_with_the_command_that_installs_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let Err(NotBuilt::Other(error)) = TOOL.run(folder.path(), &[], Messages::Kept).await else {
            panic!("the tool is there")
        };
        let message = error.to_string();
        assert!(message.contains("no-such-tool is not installed: run `pip install it`"), "{message}");
    }

    #[test]
    fn the_projects_own_tool_goes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(TOOL.program(folder.path()), Path::new("no-such-tool"));
        fs::create_dir(folder.path().join("bin")).expect("a folder");
        fs::write(folder.path().join("bin/no-such-tool"), "").expect("a file");
        assert!(TOOL.program(folder.path()).is_absolute());
    }

    #[test]
    fn the_insides_of_a_tool_are_left_out() {
        assert_eq!(relevant("SyntaxError: x\n\nStack backtrace:\n   0: main\n"), "SyntaxError: x\n");
        assert_eq!((relevant("odd").as_str(), relevant("").as_str()), ("odd\n", ""));
    }
}
