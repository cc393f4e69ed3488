//! What is not run, and why. An entry that no page needs any more is an error.

/// Commands of a page that are not run: the page, how each begins, and the reason.
pub(super) const NOT_RUN: &[(&str, &str, &str)] = &[
    ("README.md", "cargo test", "it is what runs this"),
    ("README.md", "cargo install --path host/cli", "the binary that it installs is the one that is tested"),
    ("README.md", "innkeeper plugin build", "the build of the tests has made it, and it lies in the folder"),
    ("docs/plugin-guide.md", "pip install", "the tools are there or not: whoever starts the tests says so"),
    ("docs/plugin-guide.md", "npm install", "the tools are there or not: whoever starts the tests says so"),
    ("docs/operations.md", "sudo ", "it changes the machine"),
    ("docs/operations.md", "docker ", "it needs a container runtime"),
];

/// Pages that are for people who change this program: their commands are those of `.ci/run`, which CI starts, or start the
/// tests themselves.
pub(super) const PAGES_NOT_RUN: &[&str] = &["CONTRIBUTING.md"];

/// Why a command of a page is not run, if it is not.
pub(super) fn reason(page: &str, command: &str) -> Option<&'static str> {
    let found = NOT_RUN.iter().find(|(of, begins, _)| *of == page && command.starts_with(begins));
    found.map(|(_, _, reason)| *reason)
}
