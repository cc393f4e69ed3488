//! What an execution leaves, against its tenant's quotas.

use innkeeper_model::execution::{Failure, FailureKind};
use innkeeper_model::id::TenantId;
use innkeeper_model::run::TriggerKind;
use innkeeper_model::sandbox::{Effects, KeyValueChange, KeyValueWrite, Outcome};
use innkeeper_store::{Claimed, NewEvent, Settled, Settlement, TenantUsage, Verdict};

use crate::error::RunnerError;
use crate::quotas::Room;
use crate::state::Shared;

/// Bytes of a counter at most, as it is stored.
const NUMBER_BYTES: usize = 20;

/// A handler whose effects would put its tenant over its quota of stored bytes fails instead.
pub(super) async fn refuse_bytes(
    shared: &Shared,
    claimed: &Claimed,
    outcome: Outcome,
    effects: &Effects,
) -> Outcome {
    let stored_bytes = bytes(effects.events.iter().map(|event| &event.data), &effects.writes);
    if stored_bytes == 0 || !matches!(outcome, Outcome::Success(_)) {
        return outcome;
    }
    let Some(kept) = shared.tenants.find(&claimed.tenant) else { return outcome };
    let more = TenantUsage { stored_bytes, ..TenantUsage::default() };
    match shared.admit_stored(&kept, more).await {
        Err(RunnerError::QuotaExceeded(exceeded)) => {
            Outcome::Failure(Failure::new(FailureKind::QuotaExceeded, exceeded.to_string()))
        }
        // If the rows cannot be counted, nothing can be written either, and that is tried again.
        _ => outcome,
    }
}

/// Bytes that a run keeps until it has succeeded: what a start by hand was given, while an event has its data with it. They
/// were noted when it was recorded.
fn own_bytes(claimed: &Claimed) -> u64 {
    if claimed.trigger != TriggerKind::Manual {
        return 0;
    }
    let texts = [&claimed.event, &claimed.data].into_iter().flatten();
    u64::try_from(texts.map(String::len).sum::<usize>()).unwrap_or(u64::MAX)
}

/// Bytes of an event's data.
pub(crate) fn data_bytes(event: &NewEvent) -> u64 {
    bytes(std::iter::once(&event.data), &[])
}

/// Bytes that a success stores. What it deletes or replaces counts as free only when the rows are counted again.
fn bytes<'a>(data: impl Iterator<Item = &'a Option<String>>, writes: &[KeyValueWrite]) -> u64 {
    let events = data.flatten().map(String::len);
    let writes = writes.iter().filter_map(|write| match &write.change {
        KeyValueChange::Set(value) => Some(write.key.len() + value.len()),
        KeyValueChange::Add(_) => Some(write.key.len() + NUMBER_BYTES),
        KeyValueChange::Delete => None,
    });
    u64::try_from(events.chain(writes).sum::<usize>()).unwrap_or(u64::MAX)
}

/// Room for the runs of events that a handler published, or that tell of one. Those for which there is none are noted as skipped.
pub(crate) fn make_room(shared: &Shared, tenant: &TenantId, events: &mut [NewEvent]) -> Option<Room> {
    let heard: usize = events.iter().map(|event| event.listeners.len()).sum();
    if heard == 0 {
        return None;
    }
    let kept = shared.tenants.find(tenant)?;
    let room = shared.room(&kept, heard).ok();
    if room.is_none() {
        for event in events.iter_mut() {
            event.over_quota = true;
        }
    }
    room
}

/// Notes what was stored, and what is kept no longer.
pub(super) fn note(shared: &Shared, claimed: &Claimed, settlement: &Settlement, settled: &Settled) {
    let (stored_bytes, freed_bytes) = match &settlement.verdict {
        Verdict::Success { writes, events, .. } => {
            (bytes(events.iter().map(|event| &event.data), writes), own_bytes(claimed))
        }
        Verdict::Failure { .. } => {
            let alert = settlement.alert.iter().filter(|_| settled.alerted);
            (bytes(alert.map(|event| &event.data), &[]), 0)
        }
    };
    if stored_bytes == 0 && freed_bytes == 0 && !settled.task_removed {
        return;
    }
    let Some(meters) = shared.meters(&settlement.tenant) else { return };
    meters.add(TenantUsage { stored_bytes, ..TenantUsage::default() });
    meters.freed(freed_bytes);
    if settled.task_removed {
        meters.task_deleted();
    }
}
