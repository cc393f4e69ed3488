//! Every page, from top to bottom.

use super::allowed::{NOT_RUN, PAGES_NOT_RUN, reason};
use super::page::{Step, steps};
use super::session::Session;
use super::{read, root};

/// The pages that a test below follows.
const FOLLOWED: [&str; 7] = [
    "README.md",
    "docs/data.md",
    "docs/declarations.md",
    "docs/http.md",
    "docs/operations.md",
    "docs/plugin-guide.md",
    "docs/tenants.md",
];

/// Follows a page, or those of its sections for which `is_meant` is true.
fn follow(page: &'static str, is_meant: impl Fn(&str) -> bool) -> Session {
    let mut session = Session::start(page);
    for placed in steps(&read(page)).iter().filter(|placed| is_meant(&placed.section)) {
        match &placed.step {
            Step::Command { text, .. } if reason(page, text).is_some() => {}
            _ => session.follow(placed),
        }
    }
    session
}

#[test]
fn the_readme() {
    follow("README.md", |_| true);
}

#[test]
fn data() {
    follow("docs/data.md", |_| true);
}

#[test]
fn declarations() {
    follow("docs/declarations.md", |_| true);
}

#[test]
fn http() {
    follow("docs/http.md", |_| true);
}

#[test]
fn operations() {
    follow("docs/operations.md", |_| true);
}

#[test]
fn tenants() {
    follow("docs/tenants.md", |_| true);
}

/// Sections of the plugin guide that need tools which are not everywhere.
const OTHER_LANGUAGES: [&str; 2] = ["Python", "JavaScript"];

#[test]
fn the_plugin_guide() {
    let session = follow("docs/plugin-guide.md", |section| !OTHER_LANGUAGES.contains(&section));
    assert_eq!(session.host().ended("hello", 1)[0]["output"], "Hello, Ada!");
}

#[cfg(languages)]
#[test]
fn the_plugin_guide_in_other_languages() {
    let session = follow("docs/plugin-guide.md", |section| OTHER_LANGUAGES.contains(&section));
    for plugin in ["hello-python", "hello-javascript"] {
        assert_eq!(session.host().get(&format!("/v1/plugins/{plugin}")).status, 200);
    }
}

/// The pages of the root and of `docs/`.
fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    for folder in ["", "docs/"] {
        let entries = std::fs::read_dir(root().join(folder)).expect("a folder can be read");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        let names = paths.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        pages.extend(names.map(|name| format!("{folder}{name}")));
    }
    pages.sort();
    pages
}

#[test]
fn no_page_with_commands_is_left_out() {
    for page in pages() {
        let has_commands =
            steps(&read(&page)).iter().any(|placed| matches!(placed.step, Step::Command { .. }));
        let listed = FOLLOWED.contains(&page.as_str()) || PAGES_NOT_RUN.contains(&page.as_str());
        assert_eq!(
            has_commands, listed,
            "{page} has commands: {has_commands}, a test that runs them: {listed}"
        );
    }
}

#[test]
fn nothing_is_excepted_that_is_not_there() {
    for (page, begins, _) in NOT_RUN {
        let is_used = steps(&read(page))
            .iter()
            .any(|placed| matches!(&placed.step, Step::Command { text, .. } if text.starts_with(begins)));
        assert!(is_used, "no command of {page} begins with `{begins}`: take out the exception");
    }
}

/// A link that leads nowhere is worse than none.
#[test]
fn links_between_pages_lead_somewhere() {
    for page in pages() {
        let text = read(&page);
        let folder = root().join(&page).parent().expect("a page lies in a folder").to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { root().join(&page) } else { folder.join(path) };
            assert!(file.exists(), "{page} leads to {target}, which is not there");
            let has_heading = anchor.is_empty()
                || std::fs::read_to_string(&file).is_ok_and(|text| anchors(&text).any(|name| name == anchor));
            assert!(has_heading, "{page} leads to {target}, and there is no such heading");
        }
    }
}

/// The names under which the headings of a page are found.
fn anchors(page: &str) -> impl Iterator<Item = String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.collect::<String>().replace(' ', "-")
    })
}
