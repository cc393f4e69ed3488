//! The operations on buckets: what is granted, what fits, what is counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::TenantId;
use innkeeper_model::key_value::{check_bucket, check_key, check_value};
use innkeeper_model::sandbox::{KeyValueWrite, StateReader};
use wasmtime::component::Resource;

use super::overlay::{Known, Overlay, Page};
use crate::capability::denial;
use crate::state::State;
use crate::usage::take;

/// Keys of one page at most.
const PAGE_MAX: u32 = 256;
/// Keys that one execution may write at most: each is an entry in memory now and a row later.
const KEYS_WRITTEN_MAX: usize = 10_000;
/// Keys of one call at most.
const BATCH_MAX: usize = 1000;

/// What an execution has of the key-value store.
#[derive(Debug, Default)]
pub(crate) struct KeyValue {
    overlay: Overlay,
    /// Where the first draft's pages ended: its cursors are numbers, and stand for these, from 1. A page that has one has
    /// counted its keys, so these are bounded as well.
    ends: Vec<String>,
    denied: BTreeSet<String>,
}

/// An open bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    name: Arc<str>,
}

/// A key that was looked at, for a swap.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    bucket: Bucket,
    key: String,
    seen: Option<Vec<u8>>,
    /// Whether the guest has been given what was seen. It was counted once.
    is_told: bool,
}

/// Why an operation was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoSuchStore,
    AccessDenied,
    Other(String),
}

/// What came of a swap that was not refused.
pub(crate) enum Swapped {
    Done,
    /// The key has another value by now.
    Stale(Look),
}

type Answer<T> = Result<T, Refusal>;

impl KeyValue {
    /// The writes that the execution asked for.
    pub(crate) fn into_writes(self) -> Vec<KeyValueWrite> {
        self.overlay.into_writes()
    }

    /// Where the page ended that a cursor of the first draft stands for.
    pub(super) fn end(&self, cursor: u64) -> Answer<String> {
        let index = usize::try_from(cursor).ok().and_then(|cursor| cursor.checked_sub(1));
        let end = index.and_then(|index| self.ends.get(index));
        end.cloned().ok_or_else(|| Refusal::Other(format!("{cursor} is no cursor of this execution's")))
    }

    /// A cursor of the first draft.
    pub(super) fn cursor(&mut self, end: String) -> u64 {
        self.ends.push(end);
        self.ends.len() as u64
    }
}

/// Opens a bucket, if it is granted. A denial leaves a line in the log, once for each name.
pub(super) fn open(state: &mut State, name: &str) -> Answer<Bucket> {
    check_bucket(name).map_err(|_| Refusal::NoSuchStore)?;
    let Some(invocation) = &state.invocation else { return Err(not_yet()) };
    if invocation.grants.key_value.iter().any(|granted| granted == name) {
        return Ok(Bucket { name: name.into() });
    }
    if state.key_value.denied.len() < denial::LINES_MAX && state.key_value.denied.insert(name.to_owned()) {
        let line = denial::line("bucket", name, &invocation.plugin, "kv");
        denial::warn(state, &line);
    }
    Err(Refusal::AccessDenied)
}

pub(super) async fn get(state: &mut State, bucket: &Bucket, key: &str) -> Answer<Option<Vec<u8>>> {
    let value = look_up(state, bucket, key).await?;
    count(state, value.as_ref().map_or(0, Vec::len))?;
    Ok(value)
}

/// Costs as much as reading the value: the host does read it.
pub(super) async fn exists(state: &mut State, bucket: &Bucket, key: &str) -> Answer<bool> {
    Ok(get(state, bucket, key).await?.is_some())
}

pub(super) fn set(state: &mut State, bucket: &Bucket, key: &str, value: Option<Vec<u8>>) -> Answer<()> {
    check(state, key, value.as_deref())?;
    admit_write(state, bucket, key)?;
    state.key_value.overlay.set(&bucket.name, key, value);
    Ok(())
}

/// One page of the keys after `after`. A page may be empty only if it is the last.
pub(super) async fn list(state: &mut State, bucket: &Bucket, after: Option<String>) -> Answer<Page> {
    let (reader, tenant) = store(state)?;
    let mut after = after;
    loop {
        let stored = reader.keys(&tenant, &bucket.name, after.as_deref(), PAGE_MAX).await;
        let stored = stored.map_err(|error| Refusal::Other(error.to_string()))?;
        let page = state.key_value.overlay.page(&bucket.name, after.as_deref(), stored, PAGE_MAX as usize);
        if !page.keys.is_empty() || page.next.is_none() {
            count(state, page.keys.iter().map(String::len).sum())?;
            return Ok(page);
        }
        after = page.next;
    }
}

pub(super) async fn increment(state: &mut State, bucket: &Bucket, key: &str, delta: i64) -> Answer<i64> {
    check(state, key, None)?;
    admit_write(state, bucket, key)?;
    let stored = stored_unless_known(state, bucket, key).await?;
    count(state, stored.as_ref().map_or(0, Vec::len))?;
    let sum = state.key_value.overlay.add(&bucket.name, key, stored, delta);
    sum.map_err(|error| Refusal::Other(format!("the key {key:?}: {error}")))
}

/// Looks at a key, for a swap.
pub(super) async fn look(state: &mut State, bucket: &Bucket, key: &str) -> Answer<Look> {
    let seen = get(state, bucket, key).await?;
    Ok(Look { bucket: bucket.clone(), key: key.to_owned(), seen, is_told: false })
}

/// What was seen at a look. To be told once more costs once more.
pub(super) fn seen(state: &mut State, look: &Resource<Look>) -> wasmtime::Result<Answer<Option<Vec<u8>>>> {
    let look = state.table.get_mut(look)?;
    let is_repeated = std::mem::replace(&mut look.is_told, true);
    let seen = look.seen.clone();
    let bytes = seen.as_ref().map_or(0, Vec::len);
    Ok(if is_repeated { count(state, bytes).map(|()| seen) } else { Ok(seen) })
}

/// Sets a key that is still as it was when it was looked at.
pub(super) async fn swap(state: &mut State, look: Look, value: Vec<u8>) -> Answer<Swapped> {
    let Look { bucket, key, seen, .. } = look;
    check(state, &key, Some(&value))?;
    admit_write(state, &bucket, &key)?;
    let stored = stored_unless_known(state, &bucket, &key).await?;
    let now = match state.key_value.overlay.get(&bucket.name, &key) {
        Known::Value(known) => known,
        Known::Nothing => stored.clone(),
    };
    if now != seen {
        count(state, now.as_ref().map_or(0, Vec::len))?;
        return Ok(Swapped::Stale(Look { bucket, key, seen: now, is_told: false }));
    }
    state.key_value.overlay.swap(&bucket.name, &key, stored, value);
    Ok(Swapped::Done)
}

/// The value as the execution sees it. Counts the key only.
async fn look_up(state: &mut State, bucket: &Bucket, key: &str) -> Answer<Option<Vec<u8>>> {
    check(state, key, None)?;
    match state.key_value.overlay.get(&bucket.name, key) {
        Known::Value(value) => Ok(value),
        Known::Nothing => stored(state, bucket, key).await,
    }
}

/// What is stored, unless that no longer matters.
async fn stored_unless_known(state: &mut State, bucket: &Bucket, key: &str) -> Answer<Option<Vec<u8>>> {
    match state.key_value.overlay.get(&bucket.name, key) {
        Known::Value(_) => Ok(None),
        Known::Nothing => stored(state, bucket, key).await,
    }
}

async fn stored(state: &mut State, bucket: &Bucket, key: &str) -> Answer<Option<Vec<u8>>> {
    let (reader, tenant) = store(state)?;
    let value = reader.value(&tenant, &bucket.name, key).await;
    value.map_err(|error| Refusal::Other(error.to_string()))
}

fn store(state: &State) -> Answer<(Arc<dyn StateReader>, TenantId)> {
    let invocation = state.invocation.as_ref().ok_or_else(not_yet)?;
    Ok((Arc::clone(&invocation.state), invocation.tenant.clone()))
}

/// Checks a key and the value that is to be put there, and counts both.
fn check(state: &mut State, key: &str, value: Option<&[u8]>) -> Answer<()> {
    check_key(key).map_err(|error| Refusal::Other(error.to_string()))?;
    check_value(value.unwrap_or_default()).map_err(|error| Refusal::Other(error.to_string()))?;
    count(state, key.len() + value.map_or(0, <[u8]>::len))
}

/// Counts bytes that are read or written.
fn count(state: &mut State, bytes: usize) -> Answer<()> {
    let limit = state.limits.key_value_bytes;
    if take(&mut state.usage.key_value_bytes, bytes as u64, limit) {
        return Ok(());
    }
    let message = format!("an execution may read and write {limit} bytes of keys and values");
    state.usage.refuse(FailureKind::KeyValueLimit, message.clone());
    Err(Refusal::Other(message))
}

/// Refuses a write to one key too many.
fn admit_write(state: &mut State, bucket: &Bucket, key: &str) -> Answer<()> {
    let overlay = &state.key_value.overlay;
    if overlay.len() < KEYS_WRITTEN_MAX || overlay.get(&bucket.name, key) != Known::Nothing {
        return Ok(());
    }
    let message = format!("an execution may write {KEYS_WRITTEN_MAX} keys");
    state.usage.refuse(FailureKind::KeyValueLimit, message.clone());
    Err(Refusal::Other(message))
}

/// Refuses a call with too many keys.
pub(super) fn check_batch(keys: usize) -> Answer<()> {
    if keys <= BATCH_MAX {
        return Ok(());
    }
    Err(Refusal::Other(format!("{keys} keys in one call; at most {BATCH_MAX} are taken")))
}

fn not_yet() -> Refusal {
    Refusal::Other("the store is there for the handler, not while the plugin is being started".to_owned())
}
