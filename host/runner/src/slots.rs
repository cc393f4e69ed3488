//! Slots for executions: the host has so many, and each tenant its share of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use innkeeper_model::id::{ExecutionId, TaskId, TenantId};
use innkeeper_store::Consequences;
use tokio::sync::OwnedSemaphorePermit;

use crate::state::Shared;

/// Runs that are claimed as they are recorded, at most: a transaction is to stay short.
const CLAIMED_AT_ONCE_MAX: usize = 256;

/// What was taken for runs that are about to be recorded, so that they can be claimed in the same transaction.
#[derive(Debug, Default)]
pub(crate) struct AtOnce {
    /// The slots; [`Shared::follow`] takes from them.
    pub(crate) slots: Option<OwnedSemaphorePermit>,
    /// Ids for as many executions as there are slots.
    pub(crate) executions: Vec<ExecutionId>,
    /// Of whose share how much.
    reserved: BTreeMap<TenantId, u32>,
}

impl Shared {
    /// Slots for runs that are about to be recorded, so many of each tenant. None if others wait already, for a slot or
    /// behind the gate of one of `tasks`: they go first. None, too, if a tenant's share does not hold them all.
    pub(crate) fn slots_at_once<'a>(
        &self,
        wanted: &BTreeMap<&TenantId, u32>,
        tasks: impl IntoIterator<Item = (&'a TenantId, &'a TaskId)>,
    ) -> AtOnce {
        let count: usize = wanted.values().map(|count| usize::try_from(*count).unwrap_or(usize::MAX)).sum();
        if count == 0 || self.stopping.is_cancelled() {
            return AtOnce::default();
        }
        let mut queue = self.lock_queue();
        let others_wait =
            !queue.is_empty() || tasks.into_iter().any(|(tenant, task)| queue.is_gated(tenant, [task]));
        if others_wait {
            return AtOnce::default();
        }
        let mut reserved = BTreeMap::new();
        for (tenant, count) in wanted {
            if !queue.reserve(tenant, *count) {
                for (tenant, count) in &reserved {
                    queue.free(tenant, *count);
                }
                return AtOnce::default();
            }
            reserved.insert((*tenant).clone(), *count);
        }
        drop(queue);
        let count = count.min(self.slots.available_permits()).min(CLAIMED_AT_ONCE_MAX);
        let slots = u32::try_from(count)
            .ok()
            .filter(|count| *count > 0)
            .and_then(|count| Arc::clone(&self.slots).try_acquire_many_owned(count).ok());
        let granted = slots.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        AtOnce { slots, executions: self.register(granted), reserved }
    }

    /// Gives back what was taken for executions that were not started after all.
    pub(crate) fn keep_started<'a>(
        &self,
        at_once: &AtOnce,
        recorded: impl Iterator<Item = &'a Consequences>,
    ) {
        if at_once.reserved.is_empty() {
            return;
        }
        let mut unused = at_once.reserved.clone();
        let mut started = HashSet::new();
        for claimed in recorded.flat_map(|then| &then.started) {
            started.insert(claimed.execution_id);
            if let Some(count) = unused.get_mut(&claimed.tenant) {
                *count = count.saturating_sub(1);
            }
        }
        for id in at_once.executions.iter().filter(|id| !started.contains(id)) {
            self.running.unregister(id);
        }
        for (tenant, count) in unused.iter().filter(|(_, count)| **count > 0) {
            self.free_share(tenant, *count);
        }
    }

    /// Gives back places of a tenant's share.
    pub(crate) fn free_share(&self, tenant: &TenantId, count: u32) {
        let others_wait = self.lock_queue().free(tenant, count);
        if others_wait {
            self.queued.notify_one();
        }
    }
}
