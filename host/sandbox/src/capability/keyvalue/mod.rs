//! `wasi:keyvalue`: the tenant's buckets, of which those that are granted by name can be opened.
//!
//! Reads go to the store and see what is committed; writes wait in the `overlay` until the execution has succeeded, and are
//! read from there. `buckets` has the operations with their limits, `link` gives them the names and types of each draft.

mod buckets;
mod link;
mod overlay;

#[cfg(test)]
mod property;

pub(crate) use self::buckets::KeyValue;
pub(crate) use self::link::{NAMES, add_to_linker};
