//! Watching the sources of plugins.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use notify::event::CreateKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::manifest::FILE;
use crate::args::Language;

/// How long nothing must happen until changes are reported: an editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(150);

/// What of a plugin changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// What it is built from.
    Source,
    /// Its `innkeeper.toml`.
    Manifest,
}

/// A folder to watch, and what tells a source in it from other files.
pub(super) type Watched = (PathBuf, Language);

/// Watches folders of plugins for as long as it lives.
pub(super) struct Watcher {
    system: RecommendedWatcher,
    projects: Vec<Watched>,
    folders: BTreeSet<PathBuf>,
    changes: mpsc::UnboundedReceiver<(usize, Change)>,
}

impl Watcher {
    /// Begins to watch.
    ///
    /// # Errors
    /// A folder cannot be watched.
    pub(super) fn start(projects: Vec<Watched>) -> anyhow::Result<Self> {
        let (sender, changes) = mpsc::unbounded_channel();
        let known = projects.clone();
        let system = notify::recommended_watcher(move |event: notify::Result<Event>| {
            for change in event.iter().flat_map(|event| changed(event, &known)) {
                // Nobody listens any more once the host stops.
                let _ = sender.send(change);
            }
        })?;
        let mut watcher = Self { system, projects, folders: BTreeSet::new(), changes };
        watcher.watch()?;
        Ok(watcher)
    }

    /// Watches the folders that are not watched yet.
    fn watch(&mut self) -> anyhow::Result<()> {
        for (directory, language) in &self.projects {
            let folders = match language {
                Language::Rust => vec![
                    (directory.clone(), RecursiveMode::NonRecursive),
                    (directory.join("src"), RecursiveMode::Recursive),
                ],
                Language::Python | Language::JavaScript => folders_of_scripts(directory),
            };
            for (folder, mode) in folders {
                if self.folders.insert(folder.clone()) {
                    let watching = self.system.watch(&folder, mode);
                    watching.with_context(|| format!("cannot watch {}", folder.display()))?;
                }
            }
        }
        Ok(())
    }

    /// The next changes, each with the index of its folder, once it is quiet again. Pending forever if the system stops
    /// to report.
    pub(super) async fn next(&mut self) -> BTreeSet<(usize, Change)> {
        let mut found = BTreeSet::new();
        match self.changes.recv().await {
            Some(change) => found.insert(change),
            None => std::future::pending().await,
        };
        while let Ok(Some(change)) = tokio::time::timeout(QUIET, self.changes.recv()).await {
            found.insert(change);
        }
        // A folder that is gone again by now needs no watching.
        self.folders.retain(|folder| folder.is_dir());
        let _ = self.watch();
        found
    }
}

/// The folders that a project in scripts has its own modules in. Those of packages and tools are too many to watch.
fn folders_of_scripts(directory: &Path) -> Vec<(PathBuf, RecursiveMode)> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(folder) = left.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        let own = entries.filter(|entry| !is_foreign(&entry.file_name().to_string_lossy()));
        let folders = own.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        left.extend(folders.map(|entry| entry.path()).filter(|path| !path.join("pyvenv.cfg").is_file()));
        found.push((folder, RecursiveMode::NonRecursive));
    }
    found
}

/// What an event of the file system changed. Merely looking at a file changes nothing.
fn changed(event: &Event, projects: &[Watched]) -> Vec<(usize, Change)> {
    if matches!(event.kind, EventKind::Access(_)) {
        return Vec::new();
    }
    let is_folder = matches!(event.kind, EventKind::Create(CreateKind::Folder));
    let of = |path: &PathBuf| {
        projects.iter().enumerate().find_map(|(index, (directory, language))| {
            Some((index, classify(directory, *language, path, is_folder)?))
        })
    };
    event.paths.iter().filter_map(of).collect()
}

/// What a file, or a folder that is new, is to the plugin in `directory`; `None` if it does not matter.
fn classify(directory: &Path, language: Language, path: &Path, is_folder: bool) -> Option<Change> {
    let relative = path.strip_prefix(directory).ok()?;
    if relative == Path::new(FILE) {
        return Some(Change::Manifest);
    }
    let is_source = match language {
        Language::Rust => {
            relative == Path::new("Cargo.toml") || (relative.starts_with("src") && !is_scratch(relative))
        }
        Language::Python => is_script(relative, is_folder, &["py"]),
        Language::JavaScript => is_script(relative, is_folder, &["js", "mjs", "cjs", "ts", "json"]),
    };
    is_source.then_some(Change::Source)
}

fn is_script(path: &Path, is_folder: bool, extensions: &[&str]) -> bool {
    let mut parts = path.iter().map(|part| part.to_string_lossy());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let has_extension =
        extensions.iter().any(|extension| path.extension().is_some_and(|own| own == *extension));
    let is_test = name.starts_with("test_") || name.ends_with("_test.py") || name.ends_with(".test.js");
    (is_folder || (has_extension && !is_test && !is_scratch(path))) && !parts.any(|part| is_foreign(&part))
}

/// Folders of tools and packages, which change without the project changing.
fn is_foreign(name: &str) -> bool {
    name.starts_with('.') || ["node_modules", "__pycache__", "target"].contains(&name)
}

/// What editors put beside a file while they work on it.
fn is_scratch(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.starts_with('#') || name.ends_with('~') || name.parse::<u32>().is_ok()
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, ModifyKind};

    use super::*;

    #[test]
    fn only_sources_and_the_manifest_matter() {
        use Language::{JavaScript, Python, Rust};
        let directory = Path::new("/p/greeter");
        for (language, path, expected) in [
            (Rust, "/p/greeter/src/lib.rs", Some(Change::Source)),
            (Rust, "/p/greeter/src/deep/data.json", Some(Change::Source)),
            (Rust, "/p/greeter/Cargo.toml", Some(Change::Source)),
            (Rust, "/p/greeter/innkeeper.toml", Some(Change::Manifest)),
            (Rust, "/p/greeter/Cargo.lock", None),
            (Rust, "/p/greeter/target/release/x", None),
            (Rust, "/p/greeter/src/.lib.rs.swp", None),
            (Rust, "/p/greeter/src/4913", None),
            (Rust, "/p/greeter/src/lib.rs~", None),
            (Rust, "/p/greeter-two/src/lib.rs", None),
            (Python, "/p/greeter/app.py", Some(Change::Source)),
            (Python, "/p/greeter/shop/prices.py", Some(Change::Source)),
            (Python, "/p/greeter/innkeeper.toml", Some(Change::Manifest)),
            (Python, "/p/greeter/test_app.py", None),
            (Python, "/p/greeter/.innkeeper/python/innkeeper/kv.py", None),
            (Python, "/p/greeter/__pycache__/app.py", None),
            (Python, "/p/greeter/README.md", None),
            (JavaScript, "/p/greeter/index.js", Some(Change::Source)),
            (JavaScript, "/p/greeter/package.json", Some(Change::Source)),
            (JavaScript, "/p/greeter/greet.test.js", None),
            (JavaScript, "/p/greeter/node_modules/x/index.js", None),
            (JavaScript, "/p/greeter/greeter.wasm", None),
        ] {
            assert_eq!(classify(directory, language, Path::new(path), false), expected, "{path}");
        }
        let folder = |name: &str| classify(directory, Python, &directory.join(name), true);
        assert_eq!((folder("shop"), folder("__pycache__")), (Some(Change::Source), None));
    }

    #[test]
    fn reading_a_file_is_no_change() {
        let projects = ["/p/a", "/p/b"].map(|path| (PathBuf::from(path), Language::Rust));
        let event = |kind| Event::new(kind).add_path("/p/b/src/lib.rs".into());
        assert_eq!(changed(&event(EventKind::Modify(ModifyKind::Any)), &projects), [(1, Change::Source)]);
        assert!(changed(&event(EventKind::Access(AccessKind::Read)), &projects).is_empty());
    }

    /// Waits until these changes of the only folder were reported.
    async fn wait_for(watcher: &mut Watcher, wanted: &[Change]) {
        let mut left: BTreeSet<Change> = wanted.iter().copied().collect();
        tokio::time::timeout(Duration::from_secs(30), async {
            while !left.is_empty() {
                for (_, change) in watcher.next().await {
                    left.remove(&change);
                }
            }
        })
        .await
        .expect("the changes within the time");
    }

    #[tokio::test]
    async fn a_written_file_is_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().canonicalize().expect("a path");
        std::fs::create_dir(directory.join("src")).expect("a folder");
        let mut watcher = Watcher::start(vec![(directory.clone(), Language::Rust)]).expect("a watcher");
        std::fs::write(directory.join("src/lib.rs"), "").expect("a file");
        std::fs::write(directory.join(FILE), "").expect("a file");
        wait_for(&mut watcher, &[Change::Source, Change::Manifest]).await;
    }

    #[tokio::test]
    async fn a_file_in_a_new_folder_is_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().canonicalize().expect("a path");
        let mut watcher = Watcher::start(vec![(directory.clone(), Language::Python)]).expect("a watcher");
        std::fs::create_dir(directory.join("shop")).expect("a folder");
        wait_for(&mut watcher, &[Change::Source]).await;
        std::fs::write(directory.join("shop/prices.py"), "").expect("a file");
        wait_for(&mut watcher, &[Change::Source]).await;
    }
}
