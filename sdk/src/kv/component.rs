//! The store in a WebAssembly component: `wasi:keyvalue` 0.2.0-draft2.

use super::Error;

use bindings::wasi::keyvalue0_2_0_draft2::atomics::{self, Cas, CasError};
use bindings::wasi::keyvalue0_2_0_draft2::store;

/// The interfaces in Rust, generated.
#[expect(clippy::same_length_and_capacity, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ world: "key-value", path: "../wit", generate_all });
}

/// An open bucket.
#[derive(Debug)]
pub(crate) struct Handle(store::Bucket, String);

pub(crate) fn open(name: &str) -> Result<Handle, Error> {
    let bucket = store::open(name).map_err(|error| translate(error, name))?;
    Ok(Handle(bucket, name.to_owned()))
}

fn translate(error: store::Error, bucket: &str) -> Error {
    match error {
        store::Error::NoSuchStore => Error::NoSuchBucket(bucket.to_owned()),
        store::Error::AccessDenied => Error::AccessDenied(bucket.to_owned()),
        store::Error::Other(message) => Error::Refused(message),
    }
}

impl Handle {
    fn done<T>(&self, done: Result<T, store::Error>) -> Result<T, Error> {
        done.map_err(|error| translate(error, &self.1))
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.done(self.0.get(key))
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.done(self.0.set(key, value))
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), Error> {
        self.done(self.0.delete(key))
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool, Error> {
        self.done(self.0.exists(key))
    }

    /// The first keys with the prefix, page by page; they come in order.
    pub(crate) fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<String>, Error> {
        let (mut keys, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.done(self.0.list_keys(cursor.as_deref()))?;
            let is_past =
                page.keys.last().is_some_and(|key| key.as_str() > prefix && !key.starts_with(prefix));
            keys.extend(page.keys.into_iter().filter(|key| key.starts_with(prefix)));
            if is_past || page.cursor.is_none() || keys.len() >= limit {
                keys.truncate(limit);
                return Ok(keys);
            }
            cursor = page.cursor;
        }
    }

    pub(crate) fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        self.done(atomics::increment(&self.0, key, delta))
    }

    pub(crate) fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, Error> {
        let cas = self.done(Cas::new(&self.0, key))?;
        if self.done(cas.current())?.as_deref() != expected {
            return Ok(false);
        }
        match atomics::swap(cas, new) {
            Ok(()) => Ok(true),
            Err(CasError::CasFailed(_)) => Ok(false),
            Err(CasError::StoreError(error)) => self.done(Err(error)),
        }
    }
}
