//! Watching the sources of plugins.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::manifest::FILE;

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

/// Watches folders of plugins for as long as it lives.
pub(super) struct Watcher {
    _system: RecommendedWatcher,
    changes: mpsc::UnboundedReceiver<(usize, Change)>,
}

impl Watcher {
    /// Begins to watch.
    ///
    /// # Errors
    /// A folder cannot be watched.
    pub(super) fn start(directories: &[PathBuf]) -> anyhow::Result<Self> {
        let (sender, changes) = mpsc::unbounded_channel();
        let watched = directories.to_vec();
        let mut system = notify::recommended_watcher(move |event: notify::Result<Event>| {
            for change in event.iter().flat_map(|event| changed(event, &watched)) {
                // Nobody listens any more once the host stops.
                let _ = sender.send(change);
            }
        })?;
        for directory in directories {
            let source = directory.join("src");
            for (path, mode) in
                [(directory, RecursiveMode::NonRecursive), (&source, RecursiveMode::Recursive)]
            {
                let watching = system.watch(path, mode);
                watching.with_context(|| format!("cannot watch {}", path.display()))?;
            }
        }
        Ok(Self { _system: system, changes })
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
        found
    }
}

/// What an event of the file system changed. Merely looking at a file changes nothing.
fn changed(event: &Event, directories: &[PathBuf]) -> Vec<(usize, Change)> {
    if matches!(event.kind, EventKind::Access(_)) {
        return Vec::new();
    }
    let of = |path: &PathBuf| {
        directories
            .iter()
            .enumerate()
            .find_map(|(index, directory)| Some((index, classify(directory, path)?)))
    };
    event.paths.iter().filter_map(of).collect()
}

/// What a file is to the plugin in `directory`; `None` if it does not matter.
fn classify(directory: &Path, path: &Path) -> Option<Change> {
    let relative = path.strip_prefix(directory).ok()?;
    if relative == Path::new(FILE) {
        return Some(Change::Manifest);
    }
    let is_source =
        relative == Path::new("Cargo.toml") || (relative.starts_with("src") && !is_scratch(relative));
    is_source.then_some(Change::Source)
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
        let directory = Path::new("/p/greeter");
        for (path, expected) in [
            ("/p/greeter/src/lib.rs", Some(Change::Source)),
            ("/p/greeter/src/deep/data.json", Some(Change::Source)),
            ("/p/greeter/Cargo.toml", Some(Change::Source)),
            ("/p/greeter/innkeeper.toml", Some(Change::Manifest)),
            ("/p/greeter/Cargo.lock", None),
            ("/p/greeter/target/release/x", None),
            ("/p/greeter/src/.lib.rs.swp", None),
            ("/p/greeter/src/4913", None),
            ("/p/greeter/src/lib.rs~", None),
            ("/p/greeter-two/src/lib.rs", None),
        ] {
            assert_eq!(classify(directory, Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn reading_a_file_is_no_change() {
        let directories = [PathBuf::from("/p/a"), PathBuf::from("/p/b")];
        let event = |kind| Event::new(kind).add_path("/p/b/src/lib.rs".into());
        assert_eq!(changed(&event(EventKind::Modify(ModifyKind::Any)), &directories), [(1, Change::Source)]);
        assert!(changed(&event(EventKind::Access(AccessKind::Read)), &directories).is_empty());
    }

    #[tokio::test]
    async fn a_written_file_is_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().canonicalize().expect("a path");
        std::fs::create_dir(directory.join("src")).expect("a folder");
        let mut watcher = Watcher::start(std::slice::from_ref(&directory)).expect("a watcher");
        std::fs::write(directory.join("src/lib.rs"), "").expect("a file");
        std::fs::write(directory.join(FILE), "").expect("a file");
        let mut seen = BTreeSet::new();
        let wanted = BTreeSet::from([(0, Change::Source), (0, Change::Manifest)]);
        tokio::time::timeout(Duration::from_secs(30), async {
            while seen != wanted {
                seen.extend(watcher.next().await);
            }
        })
        .await
        .expect("both changes within the time");
    }
}
