//! A version that takes the place of another: what is different about it, and what it may not have unasked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::grants::Grants;
use crate::id::Digest;

/// A kind of thing that a plugin reaches only where it is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
    /// Outgoing HTTP.
    Http,
    /// The key-value store.
    KeyValue,
    /// The configuration.
    Config,
}

impl Capability {
    /// Every kind, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Http, Self::KeyValue, Self::Config];

    /// Its name in JSON, which is that of its list of grants.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::KeyValue => "keyValue",
            Self::Config => "config",
        }
    }

    /// What a grant of it looks like on a command line.
    #[must_use]
    pub fn form(self) -> &'static str {
        match self {
            Self::Http => "http=https://HOST",
            Self::KeyValue => "kv=BUCKET",
            Self::Config => "config=KEY",
        }
    }

    /// How the interfaces that ask for it are called.
    fn prefix(self) -> &'static str {
        match self {
            Self::Http => "wasi:http/outgoing-handler",
            Self::KeyValue => "wasi:keyvalue/",
            Self::Config => "wasi:config/",
        }
    }

    /// The kinds that a component with these imports asks for.
    pub fn needed_by<T: AsRef<str>>(imports: &[T]) -> Vec<Self> {
        let needs = |kind: &Self| imports.iter().any(|name| name.as_ref().starts_with(kind.prefix()));
        Self::ALL.into_iter().filter(needs).collect()
    }

    /// Whether anything of this kind is granted.
    #[must_use]
    pub fn is_granted(self, grants: &Grants) -> bool {
        match self {
            Self::Http => !grants.http.is_empty(),
            Self::KeyValue => !grants.key_value.is_empty(),
            Self::Config => !grants.config.is_empty(),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What is known of a version, apart from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFacts {
    /// Its digest.
    pub digest: Digest,
    /// Bytes of its component.
    pub size: u64,
    /// How it is called, such as `command`; `None` if it was uploaded by a host that did not note it.
    pub handler: Option<String>,
    /// Interfaces it imports, sorted.
    pub imports: Vec<String>,
}

/// What is different about a version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The version that was active; `None` if there was none.
    pub before: Option<VersionFacts>,
    /// Interfaces that it imports and the former one did not.
    pub imports_added: Vec<String>,
    /// Interfaces that the former one imported and it does not.
    pub imports_removed: Vec<String>,
    /// Kinds of grants that it asks for and the former one did not.
    pub newly_needed: Vec<Capability>,
    /// Kinds of grants that it asks for and of which the plugin has none: they are denied when it uses them.
    pub missing: Vec<Capability>,
}

impl Changes {
    /// Compares `version` with the version that is active, for a plugin with these grants.
    #[must_use]
    pub fn between(before: Option<VersionFacts>, version: &VersionFacts, grants: &Grants) -> Self {
        let imported = before.as_ref().map_or(&[][..], |before| &before.imports);
        let needed = Capability::needed_by(&version.imports);
        let needed_before = Capability::needed_by(imported);
        Self {
            imports_added: without(&version.imports, imported),
            imports_removed: without(imported, &version.imports),
            newly_needed: needed.iter().copied().filter(|kind| !needed_before.contains(kind)).collect(),
            missing: needed.into_iter().filter(|kind| !kind.is_granted(grants)).collect(),
            before,
        }
    }

    /// The kinds of grants that somebody has to decide about before the version takes the place of the former one: those
    /// that it reaches for, the former one did not, and nobody has granted. A plugin's first version takes nobody's place.
    #[must_use]
    pub fn undecided(&self) -> Vec<Capability> {
        if self.before.is_none() {
            return Vec::new();
        }
        self.newly_needed.iter().copied().filter(|kind| self.missing.contains(kind)).collect()
    }
}

fn without(names: &[String], others: &[String]) -> Vec<String> {
    names.iter().filter(|name| !others.contains(name)).cloned().collect()
}

/// How a version is to take effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Whether it becomes the active one; if not, it is only kept.
    pub activates: bool,
    /// What the plugin is granted besides, at the moment at which the version becomes active.
    pub allow: Grants,
    /// Whether it may become active although it asks for what is not granted, which is then denied.
    pub accepts_denial: bool,
    /// Whether runs that wait, for their first start or for a retry, move to it. Else they stay on the version with which they
    /// were recorded.
    pub migrates: bool,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { activates: true, allow: Grants::default(), accepts_denial: false, migrates: false }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HTTP: &str = "wasi:http/outgoing-handler@0.2.3";
    const KEY_VALUE: &str = "wasi:keyvalue/atomics@0.2.0-draft2";
    const CONFIG: &str = "wasi:config/store@0.2.0-draft";

    fn version(imports: &[&str]) -> VersionFacts {
        let imports: Vec<String> = imports.iter().map(|&name| name.to_owned()).collect();
        let digest = Digest::of(imports.join(" ").as_bytes());
        VersionFacts { digest, size: 1, handler: Some("plugin".to_owned()), imports }
    }

    fn grants(value: serde_json::Value) -> Grants {
        Grants::from_json(value).expect("grants")
    }

    #[test]
    fn what_is_needed_follows_from_imports() {
        assert_eq!(Capability::needed_by(&["wasi:http/types@0.2.0", "wasi:cli/stdout@0.2.0"]), []);
        assert_eq!(Capability::needed_by(&[CONFIG, HTTP, KEY_VALUE]), Capability::ALL);
    }

    #[test]
    fn a_version_that_reaches_for_more_is_to_be_decided_about() {
        let (before, after) = (version(&["a", KEY_VALUE]), version(&["b", CONFIG, HTTP, KEY_VALUE]));
        let changes = Changes::between(Some(before.clone()), &after, &Grants::default());
        assert_eq!(changes.imports_added, ["b", CONFIG, HTTP]);
        assert_eq!(changes.imports_removed, ["a"]);
        assert_eq!(changes.newly_needed, [Capability::Http, Capability::Config]);
        assert_eq!(changes.missing, Capability::ALL, "what the former one lacked is still missing");
        assert_eq!(changes.undecided(), [Capability::Http, Capability::Config]);
        let granted = grants(json!({"http": ["https://a.org"], "config": ["k"]}));
        let changes = Changes::between(Some(before), &after, &granted);
        assert_eq!((changes.missing.as_slice(), changes.undecided()), (&[Capability::KeyValue][..], vec![]));
    }

    #[test]
    fn a_first_version_and_one_that_asks_for_no_more_need_no_decision() {
        let needs = version(&[HTTP]);
        let first = Changes::between(None, &needs, &Grants::default());
        assert_eq!((first.missing.as_slice(), first.undecided()), (&[Capability::Http][..], vec![]));
        let again = Changes::between(Some(needs.clone()), &version(&["a", HTTP]), &Grants::default());
        assert_eq!((again.newly_needed.len(), again.undecided()), (0, vec![]));
        let less = Changes::between(Some(needs), &version(&[]), &Grants::default());
        assert_eq!((less.missing.len(), less.undecided()), (0, vec![]));
    }
}
