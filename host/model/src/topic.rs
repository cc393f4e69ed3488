//! Event names, patterns over them, and the index that finds the patterns a name matches.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest event name or pattern, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// A name or pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {NAME_BYTES_MAX} bytes without white space or control characters{more}")]
pub struct InvalidTopic {
    what: &'static str,
    more: &'static str,
}

fn is_topic(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// The name of an event, such as `user:logged_in`: 1 to 200 bytes without white space, control characters or `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventName(String);

impl EventName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventName {
    type Err = InvalidTopic;

    fn from_str(text: &str) -> Result<Self, InvalidTopic> {
        if is_topic(text) && !text.contains('*') {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidTopic { what: "an event name", more: ", and without `*`" })
    }
}

impl TryFrom<String> for EventName {
    type Error = InvalidTopic;

    fn try_from(text: String) -> Result<Self, InvalidTopic> {
        text.parse()
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> Self {
        name.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A pattern over names: `*` stands for any run of characters, none and `:` included, anywhere and any number of
/// times; everything else stands for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPattern(String);

impl TopicPattern {
    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern matches `name`. Linear in the length of the name: what stands between two `*` is looked
    /// for once, leftmost, with a linear search.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some((prefix, rest)) = self.0.split_once('*') else { return self.0 == name };
        let (middle, suffix) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(name) = name.strip_prefix(prefix).and_then(|name| name.strip_suffix(suffix)) else {
            return false;
        };
        holds_in_order(name, middle)
    }
}

/// Whether the parts of `middle`, which are separated by `*`, occur in `name` one after the other.
fn holds_in_order(mut name: &str, middle: &str) -> bool {
    for part in middle.split('*') {
        let Some(found) = name.find(part) else { return false };
        name = &name[found + part.len()..];
    }
    true
}

impl FromStr for TopicPattern {
    type Err = InvalidTopic;

    fn from_str(text: &str) -> Result<Self, InvalidTopic> {
        if is_topic(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidTopic { what: "an event pattern", more: "; `*` stands for any run of characters" })
    }
}

impl TryFrom<String> for TopicPattern {
    type Error = InvalidTopic;

    fn try_from(text: String) -> Result<Self, InvalidTopic> {
        text.parse()
    }
}

impl From<TopicPattern> for String {
    fn from(pattern: TopicPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Finds the patterns that match a name without looking at all of them: patterns are filed under what stands before
/// their first `*` and then under what stands after their last.
#[derive(Debug)]
pub struct PatternIndex<K> {
    exact: HashMap<String, Vec<K>>,
    wild: HashMap<String, HashMap<String, Vec<(TopicPattern, K)>>>,
    len: usize,
}

impl<K> Default for PatternIndex<K> {
    fn default() -> Self {
        Self { exact: HashMap::new(), wild: HashMap::new(), len: 0 }
    }
}

impl<K: Clone + Eq + Hash> PatternIndex<K> {
    /// Files `key` under `pattern`. A key may be filed under several patterns.
    pub fn insert(&mut self, pattern: &TopicPattern, key: K) {
        self.len += 1;
        match pattern.0.split_once('*') {
            None => self.exact.entry(pattern.0.clone()).or_default().push(key),
            Some((prefix, rest)) => {
                let suffix = rest.rsplit_once('*').map_or(rest, |(_, suffix)| suffix);
                let by_suffix = self.wild.entry(prefix.to_owned()).or_default();
                by_suffix.entry(suffix.to_owned()).or_default().push((pattern.clone(), key));
            }
        }
    }

    /// Takes `key` out from under `pattern`; nothing happens if it is not there.
    pub fn remove(&mut self, pattern: &TopicPattern, key: &K) {
        let removed = match pattern.0.split_once('*') {
            None => remove_from(&mut self.exact, &pattern.0, |keys| {
                keys.iter().position(|other| other == key).map(|at| drop(keys.swap_remove(at)))
            }),
            Some((prefix, rest)) => {
                let suffix = rest.rsplit_once('*').map_or(rest, |(_, suffix)| suffix);
                let found = |keys: &mut Vec<(TopicPattern, K)>| {
                    let at = keys.iter().position(|(other, held)| other == pattern && held == key);
                    at.map(|at| drop(keys.swap_remove(at)))
                };
                let Some(by_suffix) = self.wild.get_mut(prefix) else { return };
                let removed = remove_from(by_suffix, suffix, found);
                if by_suffix.is_empty() {
                    self.wild.remove(prefix);
                }
                removed
            }
        };
        self.len -= usize::from(removed);
    }

    /// The keys filed under patterns that match `name`, each as often as it is filed, in no particular order.
    #[must_use]
    pub fn matching(&self, name: &str) -> Vec<K> {
        let mut found = self.exact.get(name).cloned().unwrap_or_default();
        if self.wild.is_empty() {
            return found;
        }
        for end in boundaries(name) {
            let Some(by_suffix) = self.wild.get(&name[..end]) else { continue };
            for start in boundaries(name).filter(|start| *start >= end) {
                let keys = by_suffix.get(&name[start..]).into_iter().flatten();
                found.extend(keys.filter(|(pattern, _)| pattern.matches(name)).map(|(_, key)| key.clone()));
            }
        }
        found
    }

    /// How many patterns are filed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is filed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

fn boundaries(name: &str) -> impl Iterator<Item = usize> {
    (0..=name.len()).filter(|at| name.is_char_boundary(*at))
}

fn remove_from<V>(
    map: &mut HashMap<String, Vec<V>>,
    at: &str,
    take: impl FnOnce(&mut Vec<V>) -> Option<()>,
) -> bool {
    let Some(held) = map.get_mut(at) else { return false };
    let removed = take(held).is_some();
    if held.is_empty() {
        map.remove(at);
    }
    removed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> TopicPattern {
        text.parse().expect("a valid pattern")
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (text, name, expected) in [
            ("user:*", "user:logged_in", true),
            ("user:*", "user:", true),
            ("user:*", "user", false),
            ("*", "anything:at:all", true),
            ("*:created", "order:line:created", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("a**c", "ac", true),
            ("user:logged_in", "user:logged_in", true),
            ("user:logged_in", "user:logged_in2", false),
            ("é*é", "é:é", true),
        ] {
            assert_eq!(pattern(text).matches(name), expected, "{text} on {name}");
        }
    }

    #[test]
    fn names_hold_no_star_and_no_space() {
        for bad in ["", "a b", "a*", "a\n", &"a".repeat(201)] {
            assert!(bad.parse::<EventName>().is_err(), "{bad:?}");
        }
        assert!("user:logged_in".parse::<EventName>().is_ok());
    }

    /// The rule as it reads, in exponential time.
    fn matches_by_definition(pattern: &[char], name: &[char]) -> bool {
        match pattern {
            [] => name.is_empty(),
            ['*', rest @ ..] => (0..=name.len()).any(|skip| matches_by_definition(rest, &name[skip..])),
            [first, rest @ ..] => name.first() == Some(first) && matches_by_definition(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(text in "[ab*é]{1,7}", name in "[abé]{1,9}") {
            let expected =
                matches_by_definition(&text.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>());
            prop_assert_eq!(pattern(&text).matches(&name), expected);
        }

        #[test]
        fn the_index_finds_what_a_scan_finds(
            texts in prop::collection::vec("[ab*:]{1,6}", 0..30),
            removed in prop::collection::vec(any::<bool>(), 30),
            name in "[ab:]{1,8}",
        ) {
            let mut index = PatternIndex::default();
            for (key, text) in texts.iter().enumerate() {
                index.insert(&pattern(text), key);
            }
            let mut expected = Vec::new();
            for (key, text) in texts.iter().enumerate() {
                if removed[key] {
                    index.remove(&pattern(text), &key);
                } else if pattern(text).matches(&name) {
                    expected.push(key);
                }
            }
            let mut found = index.matching(&name);
            found.sort_unstable();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(index.len(), removed.iter().zip(&texts).filter(|(gone, _)| !**gone).count());
        }
    }
}
