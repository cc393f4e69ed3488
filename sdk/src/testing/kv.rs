//! The key-value store of a scenario, in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::{Report, STAGE, Scenario};
use crate::kv::Error;

/// A value that a handler wrote, or a key that it deleted.
///
/// ```
/// use innkeeper_sdk::{kv, testing::Scenario};
///
/// let report = Scenario::new().enter(|| kv::open("state")?.set("seen", "yes"));
/// assert_eq!(report.writes[0].key, "seen");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyWrite {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The value; `None` if the key was deleted.
    pub value: Option<Vec<u8>>,
}

type Place = (String, String);

/// What is stored before the execution, and which buckets are not granted.
#[derive(Debug, Clone, Default)]
pub(super) struct Stored {
    values: BTreeMap<Place, Vec<u8>>,
    denied: BTreeSet<String>,
}

/// What an execution has written so far.
#[derive(Debug, Default)]
pub(super) struct Written(BTreeMap<Place, Option<Vec<u8>>>);

impl Written {
    pub(super) fn into_writes(self) -> Vec<KeyWrite> {
        let write = |((bucket, key), value)| KeyWrite { bucket, key, value };
        self.0.into_iter().map(write).collect()
    }
}

impl Scenario {
    /// The key-value store has this value.
    ///
    /// ```
    /// use innkeeper_sdk::{kv, testing::Scenario};
    ///
    /// let scenario = Scenario::new().value("state", "seen", "yes");
    /// let report = scenario.enter(|| kv::open("state")?.exists("seen"));
    /// assert_eq!(report.result, Ok(true));
    /// ```
    #[must_use]
    pub fn value(mut self, bucket: &str, key: &str, value: impl AsRef<[u8]>) -> Self {
        let place = (bucket.to_owned(), key.to_owned());
        self.stored.values.insert(place, value.as_ref().to_vec());
        self
    }

    /// The bucket is not granted to the plugin. All others are.
    ///
    /// ```
    /// use innkeeper_sdk::{kv, testing::Scenario};
    ///
    /// let report = Scenario::new().deny_bucket("state").enter(|| kv::open("state").map(drop));
    /// assert_eq!(report.result, Err(kv::Error::AccessDenied("state".to_owned())));
    /// ```
    #[must_use]
    pub fn deny_bucket(mut self, bucket: &str) -> Self {
        self.stored.denied.insert(bucket.to_owned());
        self
    }

    /// What `report` says was written is stored: the scenario of an execution that comes after.
    ///
    /// ```
    /// use innkeeper_sdk::{kv, testing::Scenario};
    ///
    /// let count = || kv::open("state")?.increment("visits", 1);
    /// let first = Scenario::new();
    /// let second = first.clone().after(&first.enter(count));
    /// assert_eq!(second.enter(count).result, Ok(2));
    /// ```
    #[must_use]
    pub fn after<T>(mut self, report: &Report<T>) -> Self {
        for write in &report.writes {
            let place = (write.bucket.clone(), write.key.clone());
            match &write.value {
                Some(value) => self.stored.values.insert(place, value.clone()),
                None => self.stored.values.remove(&place),
            };
        }
        self
    }
}

impl<T> Report<T> {
    /// The value that was written under a key; `None` if none was, or if the key was deleted.
    ///
    /// ```
    /// use innkeeper_sdk::{kv, testing::Scenario};
    ///
    /// let report = Scenario::new().enter(|| kv::open("state")?.set("seen", "yes"));
    /// assert_eq!(report.written("state", "seen"), Some(&b"yes"[..]));
    /// ```
    #[must_use]
    pub fn written(&self, bucket: &str, key: &str) -> Option<&[u8]> {
        let write = self.writes.iter().find(|write| write.bucket == bucket && write.key == key)?;
        write.value.as_deref()
    }
}

/// An open bucket.
#[derive(Debug)]
pub(crate) struct Handle(String);

pub(crate) fn open(name: &str) -> Result<Handle, Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if !(1..=100).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(Error::NoSuchBucket(name.to_owned()));
    }
    let denied = STAGE
        .with_borrow(|stage| stage.as_ref().is_some_and(|stage| stage.scenario.stored.denied.contains(name)));
    if denied { Err(Error::AccessDenied(name.to_owned())) } else { Ok(Handle(name.to_owned())) }
}

impl Handle {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        check(key, &[])?;
        let place = (self.0.clone(), key.to_owned());
        Ok(STAGE.with_borrow(|stage| {
            let stage = stage.as_ref()?;
            let written = stage.written.0.get(&place).cloned();
            written.unwrap_or_else(|| stage.scenario.stored.values.get(&place).cloned())
        }))
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.write(key, Some(value))
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), Error> {
        self.write(key, None)
    }

    fn write(&self, key: &str, value: Option<&[u8]>) -> Result<(), Error> {
        check(key, value.unwrap_or_default())?;
        let place = (self.0.clone(), key.to_owned());
        STAGE.with_borrow_mut(|stage| {
            if let Some(stage) = stage {
                stage.written.0.insert(place, value.map(<[u8]>::to_vec));
            }
        });
        Ok(())
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool, Error> {
        Ok(self.get(key)?.is_some())
    }

    #[expect(clippy::unnecessary_wraps, reason = "as in a component")]
    pub(crate) fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<String>, Error> {
        Ok(STAGE.with_borrow(|stage| {
            let Some(stage) = stage else { return Vec::new() };
            let mut places: BTreeSet<&Place> = stage.scenario.stored.values.keys().collect();
            places.extend(stage.written.0.keys());
            let is_there = |place: &&Place| stage.written.0.get(*place).is_none_or(Option::is_some);
            let here = places.into_iter().filter(|(bucket, _)| *bucket == self.0).filter(is_there);
            here.map(|(_, key)| key.clone()).filter(|key| key.starts_with(prefix)).take(limit).collect()
        }))
    }

    pub(crate) fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        let value = self.get(key)?;
        let text = value.as_deref().map_or(Ok("0"), std::str::from_utf8);
        let number = text.ok().and_then(|text| text.parse::<i64>().ok());
        let number = number.ok_or_else(|| Error::Refused(format!("the value under {key:?} is no number")))?;
        let sum = number.checked_add(delta);
        let sum = sum.ok_or_else(|| Error::Refused(format!("{number} increased by {delta} does not fit")))?;
        self.set(key, sum.to_string().as_bytes())?;
        Ok(sum)
    }

    pub(crate) fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, Error> {
        if self.get(key)?.as_deref() != expected {
            return Ok(false);
        }
        self.set(key, new)?;
        Ok(true)
    }
}

fn check(key: &str, value: &[u8]) -> Result<(), Error> {
    if !(1..=256).contains(&key.len()) || key.contains(char::is_control) {
        return Err(Error::Refused(format!("{key:?} is no key: 1 to 256 bytes without control characters")));
    }
    if value.len() > 1 << 20 {
        return Err(Error::Refused(format!("the value has {} bytes of at most {}", value.len(), 1 << 20)));
    }
    Ok(())
}
