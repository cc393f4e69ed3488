//! The documentation: every command on its pages is run, and its tables say what the program does.
//!
//! A page is read as somebody types it, from top to bottom, in one shell and one folder, against a real host. `sh` blocks
//! are commands, one a line; `console` blocks are commands after `$ ` with what they print. A block whose fence says
//! `file=NAME` is a file of that name, and `shown=server` is what the server that the page started prints meanwhile.

mod allowed;
mod compare;
mod page;
mod pages;
mod reference;
mod session;
mod tasks;

use std::path::{Path, PathBuf};

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests have a workspace").to_owned()
}

/// The text of a page, named from the root.
fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// The rows of the tables of a page whose heading has these columns: the cells of each, as they are written.
fn rows(page: &str, heading: &[&str]) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows = Vec::new();
    let mut is_inside = false;
    for line in page.lines() {
        if !line.starts_with('|') {
            is_inside = false;
        } else if cells(line) == heading {
            is_inside = true;
        } else if is_inside && !line.starts_with("|--") {
            rows.push(cells(line));
        }
    }
    assert!(!rows.is_empty(), "the page has no table {heading:?}");
    rows
}

/// What stands between backticks in a cell.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
