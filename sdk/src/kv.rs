//! Keeping things from one execution to the next: the tenant's key-value store.
//!
//! Needs the feature `kv`, and for each bucket a grant: `innkeeper plugin allow NAME kv=BUCKET`.
//!
//! ```
//! use innkeeper_sdk::{Failure, kv};
//!
//! fn count_visit(user: &str) -> Result<i64, Failure> {
//!     let visits = kv::open("visits")?;
//!     Ok(visits.increment(user, 1)?)
//! }
//! # use innkeeper_sdk::testing::Scenario;
//! # let report = Scenario::new().value("visits", "ada", "41").enter(|| count_visit("ada"));
//! # assert_eq!(report.result, Ok(42));
//! # assert_eq!(report.written("visits", "ada"), Some(&b"42"[..]));
//! ```
//!
//! What is written is an effect: an execution sees its own writes at once, everybody else sees them when it has succeeded,
//! all together; if it fails, nothing was written. So an attempt that comes after never doubles anything.

#[cfg(target_family = "wasm")]
mod component;

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(target_family = "wasm")]
use component as host;

#[cfg(not(target_family = "wasm"))]
use crate::testing::kv as host;

/// Opens a bucket of the tenant. One that nobody has written to yet is empty.
///
/// ```
/// # use innkeeper_sdk::testing::Scenario;
/// # let report = Scenario::new().deny_bucket("theirs").enter(|| {
/// use innkeeper_sdk::kv;
///
/// assert!(kv::open("state").is_ok());
/// assert!(matches!(kv::open("theirs"), Err(kv::Error::AccessDenied(_))));
/// # });
/// ```
///
/// # Errors
/// [`Error::AccessDenied`] if the bucket is not granted to the plugin; [`Error::NoSuchBucket`] if no bucket can have this
/// name.
pub fn open(name: &str) -> Result<Bucket, Error> {
    Ok(Bucket { handle: host::open(name)? })
}

/// An open bucket. Keys are 1 to 256 bytes of text without control characters, values at most 1 MiB.
///
/// ```
/// # let report = innkeeper_sdk::testing::Scenario::new().enter(|| {
/// let bucket = innkeeper_sdk::kv::open("state")?;
/// bucket.set("seen", "yes")
/// # });
/// # assert_eq!(report.result, Ok(()));
/// ```
#[derive(Debug)]
pub struct Bucket {
    handle: host::Handle,
}

impl Bucket {
    /// The value under `key`, or `None`.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let scenario = Scenario::new().value("state", "seen", "yes");
    /// # let report = scenario.enter(|| -> Result<(), innkeeper_sdk::kv::Error> {
    /// let bucket = innkeeper_sdk::kv::open("state")?;
    /// assert_eq!(bucket.get("seen")?, Some(b"yes".to_vec()));
    /// assert_eq!(bucket.get("other")?, None);
    /// # Ok(())
    /// # });
    /// # assert_eq!(report.result, Ok(()));
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if the key cannot be, a limit is reached, or the store cannot be read.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.handle.get(key)
    }

    /// The value under `key`, read from JSON, or `None`.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let report = Scenario::new().value("state", "sizes", "[1,2]").enter(|| {
    /// # let bucket = innkeeper_sdk::kv::open("state")?;
    /// let sizes: Vec<u8> = bucket.get_json("sizes")?.unwrap_or_default();
    /// assert_eq!(sizes, [1, 2]);
    /// # Ok::<(), innkeeper_sdk::kv::Error>(())
    /// # });
    /// # assert_eq!(report.result, Ok(()));
    /// ```
    ///
    /// # Errors
    /// [`Error::Json`] if the value does not fit `T`; else as [`Bucket::get`].
    pub fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(value) = self.get(key)? else { return Ok(None) };
        let read = serde_json::from_slice(&value);
        read.map(Some).map_err(|error| Error::Json(format!("the value under {key:?} does not fit: {error}")))
    }

    /// Puts a value under `key`, in the place of the one that was there.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let report = Scenario::new().enter(|| {
    /// # let bucket = innkeeper_sdk::kv::open("state")?;
    /// bucket.set("seen", "yes")?;
    /// bucket.set("raw", [0, 159, 146])?;
    /// # Ok::<(), innkeeper_sdk::kv::Error>(())
    /// # });
    /// # assert_eq!(report.written("state", "seen"), Some(&b"yes"[..]));
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if the key or the value cannot be, or a limit is reached.
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.handle.set(key, value.as_ref())
    }

    /// Puts a value under `key`, written as JSON.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let report = Scenario::new().enter(|| {
    /// # let bucket = innkeeper_sdk::kv::open("state")?;
    /// bucket.set_json("sizes", &[1, 2])?;
    /// # Ok::<(), innkeeper_sdk::kv::Error>(())
    /// # });
    /// # assert_eq!(report.written("state", "sizes"), Some(&b"[1,2]"[..]));
    /// ```
    ///
    /// # Errors
    /// [`Error::Json`] if it cannot be written as JSON; else as [`Bucket::set`].
    pub fn set_json(&self, key: &str, value: &impl Serialize) -> Result<(), Error> {
        let value = serde_json::to_vec(value).map_err(|error| Error::Json(error.to_string()))?;
        self.set(key, value)
    }

    /// Deletes `key`. One that is not there is as good.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let report = Scenario::new().value("state", "seen", "yes").enter(|| {
    /// # let bucket = innkeeper_sdk::kv::open("state")?;
    /// bucket.delete("seen")?;
    /// assert!(!bucket.exists("seen")?);
    /// # Ok::<(), innkeeper_sdk::kv::Error>(())
    /// # });
    /// # assert_eq!(report.result, Ok(()));
    /// # assert_eq!((report.writes.len(), &report.writes[0].value), (1, &None));
    /// ```
    ///
    /// # Errors
    /// As [`Bucket::set`].
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        self.handle.delete(key)
    }

    /// Whether `key` is there.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let report = Scenario::new().value("state", "seen", "yes").enter(|| {
    /// # let bucket = innkeeper_sdk::kv::open("state")?;
    /// assert!(bucket.exists("seen")? && !bucket.exists("other")?);
    /// # Ok::<(), innkeeper_sdk::kv::Error>(())
    /// # });
    /// # assert_eq!(report.result, Ok(()));
    /// ```
    ///
    /// # Errors
    /// As [`Bucket::get`].
    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        self.handle.exists(key)
    }

    /// The keys that begin with `prefix`, in order; all of them with `""`.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let scenario = Scenario::new().value("state", "user:ada", "1").value("state", "visits", "1");
    /// # let report = scenario.enter(|| {
    /// # let bucket = innkeeper_sdk::kv::open("state")?;
    /// bucket.set("user:bob", "1")?;
    /// assert_eq!(bucket.list("user:")?, ["user:ada", "user:bob"]);
    /// # Ok::<(), innkeeper_sdk::kv::Error>(())
    /// # });
    /// # assert_eq!(report.result, Ok(()));
    /// ```
    ///
    /// # Errors
    /// As [`Bucket::get`]. The keys that are read for it count, and those before the prefix are among them.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.handle.keys(prefix, usize::MAX)
    }

    /// The first keys that begin with `prefix`, in order, at most `limit`: for buckets that may have more keys than an
    /// execution may read.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let scenario = Scenario::new().value("queue", "1", "a").value("queue", "2", "b");
    /// # let report = scenario.enter(|| {
    /// # let bucket = innkeeper_sdk::kv::open("queue")?;
    /// assert_eq!(bucket.list_at_most("", 1)?, ["1"]);
    /// # Ok::<(), innkeeper_sdk::kv::Error>(())
    /// # });
    /// # assert_eq!(report.result, Ok(()));
    /// ```
    ///
    /// # Errors
    /// As [`Bucket::list`].
    pub fn list_at_most(&self, prefix: &str, limit: usize) -> Result<Vec<String>, Error> {
        self.handle.keys(prefix, limit)
    }

    /// Adds to the number under `key` and gives the sum; what is not there counts as 0. The number is decimal text.
    ///
    /// Additions of executions that run at the same time add up: none of them is lost, and none has to be done again. What
    /// is given back is the sum as this execution sees it.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let report = Scenario::new().enter(|| {
    /// # let bucket = innkeeper_sdk::kv::open("state")?;
    /// assert_eq!(bucket.increment("visits", 2)?, 2);
    /// assert_eq!(bucket.increment("visits", -1)?, 1);
    /// # Ok::<(), innkeeper_sdk::kv::Error>(())
    /// # });
    /// # assert_eq!(report.written("state", "visits"), Some(&b"1"[..]));
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if the value is no number or the sum does not fit 64 bits; else as [`Bucket::set`].
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        self.handle.increment(key, delta)
    }

    /// Puts `new` under `key` if its value is `expected`, and says whether it did.
    ///
    /// That is looked at again when the execution succeeds: if somebody else was faster the execution fails as `conflict`,
    /// nothing of it takes place, and it is attempted again at once, without using up an attempt.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let report = Scenario::new().enter(|| {
    /// # let bucket = innkeeper_sdk::kv::open("locks")?;
    /// assert!(bucket.compare_and_swap("deploy", None, "ada")?);
    /// assert!(!bucket.compare_and_swap("deploy", None, "bob")?);
    /// assert!(bucket.compare_and_swap("deploy", Some(b"ada"), "bob")?);
    /// # Ok::<(), innkeeper_sdk::kv::Error>(())
    /// # });
    /// # assert_eq!(report.written("locks", "deploy"), Some(&b"bob"[..]));
    /// ```
    ///
    /// # Errors
    /// As [`Bucket::set`].
    pub fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: impl AsRef<[u8]>,
    ) -> Result<bool, Error> {
        self.handle.compare_and_swap(key, expected, new.as_ref())
    }

    /// Puts what `change` makes of the value under `key` there, so that nobody's change is lost: as
    /// [`Bucket::compare_and_swap`], with another look whenever the value is another one by then. Values are JSON.
    ///
    /// ```
    /// # use innkeeper_sdk::testing::Scenario;
    /// # let report = Scenario::new().value("state", "names", r#"["ada"]"#).enter(|| {
    /// # let bucket = innkeeper_sdk::kv::open("state")?;
    /// bucket.update_json("names", |names: Option<Vec<String>>| {
    ///     let mut names = names.unwrap_or_default();
    ///     names.push("bob".to_owned());
    ///     names
    /// })?;
    /// # Ok::<(), innkeeper_sdk::kv::Error>(())
    /// # });
    /// # assert_eq!(report.written("state", "names"), Some(&br#"["ada","bob"]"#[..]));
    /// ```
    ///
    /// # Errors
    /// [`Error::Json`] if the value does not fit `T` or the new one cannot be written; else as [`Bucket::set`].
    pub fn update_json<T: DeserializeOwned + Serialize>(
        &self,
        key: &str,
        change: impl Fn(Option<T>) -> T,
    ) -> Result<(), Error> {
        loop {
            let seen = self.get(key)?;
            let read = seen.as_deref().map(serde_json::from_slice).transpose();
            let value =
                read.map_err(|error| Error::Json(format!("the value under {key:?} does not fit: {error}")))?;
            let new = serde_json::to_vec(&change(value)).map_err(|error| Error::Json(error.to_string()))?;
            if self.compare_and_swap(key, seen.as_deref(), new)? {
                return Ok(());
            }
        }
    }
}

/// Why the store did not do it. Each message says what was wrong.
///
/// ```
/// use innkeeper_sdk::kv;
///
/// assert!(matches!(kv::open("no bucket"), Err(kv::Error::NoSuchBucket(_))));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// No bucket can have this name.
    NoSuchBucket(String),
    /// The bucket is not granted to the plugin. The execution's log has the command that grants it.
    AccessDenied(String),
    /// A key or value that cannot be, a limit, or a store that cannot be read.
    Refused(String),
    /// A value that is not the JSON that was expected.
    Json(String),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchBucket(name) => write!(out, "no bucket can be called {name:?}"),
            Self::AccessDenied(name) => write!(out, "the bucket {name:?} is not granted to this plugin"),
            Self::Refused(message) => write!(out, "the key-value store refused: {message}"),
            Self::Json(message) => out.write_str(message),
        }
    }
}

impl StdError for Error {}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;
    use crate::testing::Scenario;

    #[test]
    fn a_value_that_does_not_fit_says_so() {
        let report = Scenario::new().value("b", "k", "x").enter(|| {
            let bucket = open("b")?;
            assert!(matches!(bucket.increment("k", 1), Err(Error::Refused(_))));
            bucket.get_json::<u8>("k")
        });
        assert!(matches!(&report.result, Err(Error::Json(text)) if text.contains("\"k\"")), "{report:?}");
        assert!(report.writes.is_empty());
    }

    #[test]
    fn names_and_sizes_are_checked_as_the_host_checks_them() {
        let report = Scenario::new().enter(|| {
            assert!(matches!(open("no/bucket"), Err(Error::NoSuchBucket(_))));
            let bucket = open("b").expect("a bucket");
            assert!(bucket.set("k", vec![0; 1 << 20]).is_ok());
            for refused in
                [bucket.set("", "x"), bucket.set("a\nb", "x"), bucket.set("k", vec![0; (1 << 20) + 1])]
            {
                assert!(matches!(refused, Err(Error::Refused(_))));
            }
        });
        assert_eq!(report.writes.len(), 1);
    }
}
