//! The page that says where each statement of the specification is done and shown names nothing that is not there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/specification.md";

/// A row of one of the page's tables.
struct Row {
    statement: String,
    places: Vec<String>,
    tests: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests have a workspace").to_owned()
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(root().join(path)).ok()
}

/// The rows of the tables with the three columns statement, where, test.
fn rows() -> Vec<Row> {
    let page = read(PAGE).expect("the page is there");
    let is_row =
        |line: &&str| line.starts_with('|') && !line.starts_with("| Statement") && !line.starts_with("|---");
    let rows: Vec<Row> = page.lines().filter(is_row).map(parse).collect();
    assert!(rows.len() > 100, "only {} rows were read", rows.len());
    rows
}

fn parse(line: &str) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [statement, places, tests] = cells.as_slice() else { panic!("not three cells: {line}") };
    Row { statement: (*statement).to_owned(), places: code(places), tests: code(tests) }
}

/// What stands between backticks.
fn code(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names of the tests in a source.
fn test_names(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) {
            let name = rest.split('(').next().unwrap_or_default();
            if std::mem::take(&mut is_test) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

#[test]
fn every_test_that_the_page_names_exists() {
    let mut wrong = Vec::new();
    for row in rows() {
        if row.tests.is_empty() {
            wrong.push(format!("no test: {}", row.statement));
        }
        for test in row.tests {
            let found = test.split_once("::").and_then(|(path, name)| Some((read(path)?, name)));
            if !found.is_some_and(|(source, name)| test_names(&source).contains(name)) {
                wrong.push(format!("no such test: {test}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
}

#[test]
fn every_place_that_the_page_names_exists() {
    let router = read("host/admin/src/router.rs").expect("the router is there");
    let mut wrong = Vec::new();
    for row in rows() {
        if row.places.is_empty() {
            wrong.push(format!("no place: {}", row.statement));
        }
        for place in row.places {
            let exists = match place.split_once(' ') {
                // A method and a route.
                Some((_, path)) => router.contains(&format!("\"{path}\"")),
                None => match place.split_once("::") {
                    Some((path, name)) => read(path).is_some_and(|source| source.contains(name)),
                    None => root().join(&place).is_file(),
                },
            };
            if !exists {
                wrong.push(format!("no such place: {place}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
}

#[test]
fn every_story_of_this_folder_is_on_the_page() {
    let named: BTreeSet<String> = rows().into_iter().flat_map(|row| row.tests).collect();
    let mut paths = vec!["tests/stories/runner/specification.rs".to_owned()];
    for entry in std::fs::read_dir(root().join("tests/stories/specification")).expect("the folder is there") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("a name in UTF-8");
        if name != "document.rs" {
            paths.push(format!("tests/stories/specification/{name}"));
        }
    }
    let mut missing = Vec::new();
    for path in paths {
        let source = read(&path).expect("the source is there");
        let tests = test_names(&source).into_iter().map(|name| format!("{path}::{name}"));
        missing.extend(tests.filter(|test| !named.contains(test)));
    }
    assert!(missing.is_empty(), "{PAGE} does not name\n{}", missing.join("\n"));
}
