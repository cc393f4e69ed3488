//! What an execution has written so far, laid over what is stored: pure.

use std::collections::BTreeMap;
use std::ops::Bound;

use innkeeper_model::key_value::{InvalidEntry, add};
use innkeeper_model::sandbox::{Expected, KeyValueChange, KeyValueWrite};

/// Writes that wait for the success of their execution: at most one for each key.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    buckets: BTreeMap<String, BTreeMap<String, Entry>>,
    len: usize,
}

#[derive(Debug)]
struct Entry {
    change: KeyValueChange,
    expected: Expected,
    /// Of a key that was added to: what was stored when it first was, so that the execution sees one number throughout.
    base: Option<Vec<u8>>,
}

/// What the overlay knows of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: what is stored counts.
    Nothing,
    /// Its value, or that it is not there.
    Value(Option<Vec<u8>>),
}

/// One page of a merged list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) keys: Vec<String>,
    /// The key after which the next page begins.
    pub(crate) next: Option<String>,
}

impl Overlay {
    /// How many keys are written to.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What is known of `key` without looking at what is stored.
    pub(crate) fn get(&self, bucket: &str, key: &str) -> Known {
        match self.entry(bucket, key) {
            None => Known::Nothing,
            Some(entry) => Known::Value(entry.value()),
        }
    }

    /// Sets or, with `None`, deletes `key`.
    pub(crate) fn set(&mut self, bucket: &str, key: &str, value: Option<Vec<u8>>) {
        let change = value.map_or(KeyValueChange::Delete, KeyValueChange::Set);
        self.change(bucket, key, change);
    }

    /// Adds to the number under `key`, which is `stored` unless the overlay knows better, and gives the sum.
    ///
    /// # Errors
    /// The value is not a number, or the sum does not fit.
    pub(crate) fn add(
        &mut self,
        bucket: &str,
        key: &str,
        stored: Option<Vec<u8>>,
        delta: i64,
    ) -> Result<i64, InvalidEntry> {
        let known = match self.get(bucket, key) {
            Known::Nothing => stored.clone(),
            Known::Value(value) => value,
        };
        let sum = add(known.as_deref(), delta)?;
        match self.entry(bucket, key).map(|entry| &entry.change) {
            None => {
                let change = KeyValueChange::Add(delta);
                self.insert(bucket, key, Entry { change, expected: Expected::Anything, base: stored });
            }
            Some(KeyValueChange::Add(before)) => {
                // The sum may fit although the two deltas together do not; then the number is what counts.
                let change = before.checked_add(delta).map_or_else(|| number(sum), KeyValueChange::Add);
                self.change(bucket, key, change);
            }
            Some(_) => self.change(bucket, key, number(sum)),
        }
        Ok(sum)
    }

    /// Sets `key`, which is stored as `stored`, on the condition that it still is when the execution has succeeded. A key that
    /// this execution has set before is its own: nobody else's change is lost.
    pub(crate) fn swap(&mut self, bucket: &str, key: &str, stored: Option<Vec<u8>>, value: Vec<u8>) {
        let change = KeyValueChange::Set(value);
        let is_added_to = match self.entry(bucket, key) {
            Some(Entry { change: KeyValueChange::Add(_), base, .. }) => Some(base.clone()),
            Some(_) => return self.change(bucket, key, change),
            None => None,
        };
        let expected = Expected::Value(is_added_to.unwrap_or(stored));
        self.insert(bucket, key, Entry { change, expected, base: None });
    }

    /// Merges one page: at most `limit` keys after `after`. `stored` are the stored keys after it, in order, and there may be
    /// more of them if there are `limit`.
    pub(crate) fn page(&self, bucket: &str, after: Option<&str>, stored: Vec<String>, limit: usize) -> Page {
        let is_more = stored.len() >= limit;
        let end = stored.last().cloned().filter(|_| is_more);
        let mut live: BTreeMap<String, bool> = stored.into_iter().map(|key| (key, true)).collect();
        let bounds = (
            after.map_or(Bound::Unbounded, Bound::Excluded),
            end.as_deref().map_or(Bound::Unbounded, Bound::Included),
        );
        if let Some(entries) = self.buckets.get(bucket) {
            for (key, entry) in entries.range::<str, _>(bounds) {
                live.insert(key.clone(), !matches!(entry.change, KeyValueChange::Delete));
            }
        }
        let mut keys: Vec<_> = live.into_iter().filter_map(|(key, is_live)| is_live.then_some(key)).collect();
        if keys.len() > limit {
            keys.truncate(limit);
            let next = keys.last().cloned();
            return Page { keys, next };
        }
        Page { keys, next: end }
    }

    /// The writes, by bucket and key.
    pub(crate) fn into_writes(self) -> Vec<KeyValueWrite> {
        let mut writes = Vec::new();
        for (bucket, entries) in self.buckets {
            writes.extend(entries.into_iter().map(|(key, entry)| KeyValueWrite {
                bucket: bucket.clone(),
                key,
                change: entry.change,
                expected: entry.expected,
            }));
        }
        writes
    }

    fn entry(&self, bucket: &str, key: &str) -> Option<&Entry> {
        self.buckets.get(bucket)?.get(key)
    }

    /// Changes what is done to `key`. What it relies on stays.
    fn change(&mut self, bucket: &str, key: &str, change: KeyValueChange) {
        let entry = self.buckets.get_mut(bucket).and_then(|entries| entries.get_mut(key));
        match entry {
            Some(entry) => entry.change = change,
            None => self.insert(bucket, key, Entry { change, expected: Expected::Anything, base: None }),
        }
    }

    fn insert(&mut self, bucket: &str, key: &str, entry: Entry) {
        let entries = self.buckets.entry(bucket.to_owned()).or_default();
        self.len += usize::from(entries.insert(key.to_owned(), entry).is_none());
    }
}

impl Entry {
    /// The value as the execution sees it.
    fn value(&self) -> Option<Vec<u8>> {
        match &self.change {
            KeyValueChange::Set(value) => Some(value.clone()),
            KeyValueChange::Delete => None,
            // It was added up before it was taken in.
            KeyValueChange::Add(delta) => {
                add(self.base.as_deref(), *delta).ok().map(|sum| sum.to_string().into_bytes())
            }
        }
    }
}

fn number(number: i64) -> KeyValueChange {
    KeyValueChange::Set(number.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "it is what a store gives")]
    fn value(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    #[test]
    fn an_execution_reads_what_it_has_written() {
        let mut overlay = Overlay::default();
        assert_eq!(overlay.get("b", "k"), Known::Nothing);
        overlay.set("b", "k", value("1"));
        assert_eq!(
            (overlay.get("b", "k"), overlay.get("c", "k")),
            (Known::Value(value("1")), Known::Nothing)
        );
        overlay.set("b", "k", None);
        assert_eq!((overlay.get("b", "k"), overlay.len()), (Known::Value(None), 1));
    }

    #[test]
    fn additions_stay_additions_until_the_key_is_set() {
        let mut overlay = Overlay::default();
        assert_eq!(overlay.add("b", "k", value("40"), 1), Ok(41));
        // Somebody else has added to it meanwhile; this execution goes on from what it saw.
        assert_eq!(overlay.add("b", "k", value("90"), 1), Ok(42));
        assert_eq!(overlay.get("b", "k"), Known::Value(value("42")));
        overlay.set("b", "other", value("7"));
        assert_eq!(overlay.add("b", "other", None, -8), Ok(-1));
        let changes: Vec<_> = overlay.into_writes().into_iter().map(|write| write.change).collect();
        assert_eq!(changes, [KeyValueChange::Add(2), KeyValueChange::Set(b"-1".to_vec())]);
    }

    #[test]
    fn what_cannot_be_added_up_changes_nothing() {
        let mut overlay = Overlay::default();
        assert!(overlay.add("b", "k", value("x"), 1).is_err());
        assert!(overlay.add("b", "k", value("9223372036854775807"), 1).is_err());
        assert_eq!(overlay.add("b", "k", value("-9223372036854775807"), i64::MAX), Ok(0));
        assert_eq!(overlay.add("b", "k", None, i64::MAX), Ok(i64::MAX));
        assert!(overlay.add("b", "k", None, 1).is_err());
        assert_eq!(overlay.get("b", "k"), Known::Value(value("9223372036854775807")));
    }

    #[test]
    fn a_swap_relies_on_what_was_stored_unless_the_key_is_its_own() {
        let mut overlay = Overlay::default();
        overlay.swap("b", "a", value("old"), b"new".to_vec());
        overlay.swap("b", "a", value("other"), b"newer".to_vec());
        overlay.set("b", "own", value("1"));
        overlay.swap("b", "own", value("stored"), b"2".to_vec());
        overlay.add("b", "sum", value("5"), 1).expect("a sum");
        overlay.swap("b", "sum", value("9"), b"7".to_vec());
        let expected: Vec<_> = overlay.into_writes().into_iter().map(|write| write.expected).collect();
        let relies_on = |text| Expected::Value(value(text));
        assert_eq!(expected, [relies_on("old"), Expected::Anything, relies_on("5")]);
    }
}
