//! The plugins that are ready to run, the most recently used ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use innkeeper_model::id::Digest;
use tokio::sync::OnceCell;

use crate::compile::Plugin;

/// A place for one version: filled by whoever comes first, while the others wait for it.
pub(crate) type Cell = Arc<OnceCell<Arc<Plugin>>>;

/// Loaded plugins by digest. An evicted one lives on until its last execution ends.
pub(crate) struct Plugins {
    slots: Mutex<Slots>,
    bytes_max: u64,
}

#[derive(Default)]
struct Slots {
    by_digest: HashMap<Digest, Slot>,
    uses: u64,
}

struct Slot {
    cell: Cell,
    used: u64,
}

impl Slot {
    fn bytes(&self) -> u64 {
        self.cell.get().map_or(0, |plugin| plugin.bytes)
    }
}

impl Plugins {
    /// Keeps plugins of at most `bytes_max` together, and always the one used last.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { slots: Mutex::default(), bytes_max }
    }

    /// The place of `digest`, which may be empty.
    pub(crate) fn cell(&self, digest: &Digest) -> Cell {
        let mut slots = self.lock();
        slots.uses += 1;
        let used = slots.uses;
        let slot = slots.by_digest.entry(*digest).or_insert_with(|| Slot { cell: Cell::default(), used });
        slot.used = used;
        Arc::clone(&slot.cell)
    }

    /// How many plugins are loaded, and their bytes.
    pub(crate) fn loaded(&self) -> (u64, u64) {
        let slots = self.lock();
        let loaded = slots.by_digest.values().filter(|slot| slot.cell.initialized());
        loaded.fold((0, 0), |(count, bytes), slot| (count + 1, bytes + slot.bytes()))
    }

    /// Forgets `digest` if it was not loaded after all.
    pub(crate) fn forget_empty(&self, digest: &Digest) {
        let mut slots = self.lock();
        if slots.by_digest.get(digest).is_some_and(|slot| !slot.cell.initialized()) {
            slots.by_digest.remove(digest);
        }
    }

    /// Evicts what was used longest ago until the rest fits. To be called after a plugin was loaded.
    pub(crate) fn shrink(&self) {
        let mut slots = self.lock();
        let mut total: u64 = slots.by_digest.values().map(Slot::bytes).sum();
        while total > self.bytes_max && slots.by_digest.len() > 1 {
            let oldest = slots.by_digest.iter().min_by_key(|(_, slot)| slot.used).map(|(digest, _)| *digest);
            let Some(slot) = oldest.and_then(|digest| slots.by_digest.remove(&digest)) else { break };
            total -= slot.bytes();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
