//! What is wrong with settings, all of it at once: the file is mostly edited while the host is down.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::settings::Origin;

/// A value that cannot be read.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The setting.
    pub(super) key: &'static str,
    /// Where the value comes from.
    pub(super) origin: Origin,
    /// Why, and what would be right.
    pub(super) cause: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, origin, cause } = self;
        match origin {
            Origin::Default => write!(out, "{key}: {cause}"),
            Origin::File(path, line) => write!(out, "{}:{line}: {key}: {cause}", path.display()),
            Origin::Flag(_) | Origin::Variable(_) => write!(out, "{key} ({origin}): {cause}"),
        }
    }
}

impl std::error::Error for Wrong {}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The file and the line, from 1; what comes from elsewhere has none.
    pub(super) place: Option<(PathBuf, usize)>,
    /// The line that people read.
    pub(super) told: String,
}

impl From<Wrong> for Mistake {
    fn from(wrong: Wrong) -> Self {
        let told = wrong.to_string();
        let place = match wrong.origin {
            Origin::File(path, line) => Some((path, line)),
            _ => None,
        };
        Self { place, told }
    }
}

/// Everything that is wrong: what a file says in the order of its lines, then the rest.
#[derive(Debug)]
pub(crate) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn new(mut all: Vec<Mistake>) -> Self {
        all.sort_by_key(|mistake| mistake.place.as_ref().map_or(usize::MAX, |(_, line)| *line));
        Self(all)
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let shown = self.0.iter().map(|mistake| {
            let (file, line) = mistake.place.clone().unzip();
            json!({"file": file.map(|file| file.display().to_string()), "line": line, "message": mistake.told})
        });
        shown.collect()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.iter().map(|mistake| mistake.told.as_str());
        out.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for Mistakes {}
