//! Recording what is due: by the group, each in one transaction, as slots become free.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use innkeeper_model::id::TenantId;
use innkeeper_model::time::Timestamp;
use innkeeper_store::{DueDecision, Skip, SkipReason, StoreError};

use crate::quotas::Room;
use crate::spans::Recording;
use crate::state::Shared;

/// How long a group waits for slots. A run that starts as it is recorded costs half of one that waits first, and where
/// executions are short, slots are soon free; where they are not, it is recorded as one that waits.
const PATIENCE: Duration = Duration::from_millis(25);

/// Groups that are being recorded. Each that was added is seen through to its end, also if another fails.
pub(super) struct DueGroups<'a> {
    shared: &'a Arc<Shared>,
    now: Timestamp,
    groups: FuturesUnordered<BoxFuture<'a, Result<(), StoreError>>>,
    outcome: Result<(), StoreError>,
    is_patient: bool,
}

impl<'a> DueGroups<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, now: Timestamp) -> Self {
        Self { shared, now, groups: FuturesUnordered::new(), outcome: Ok(()), is_patient: true }
    }

    /// Begins to record a group, as soon as there are slots for it or it is clear that there will be none for a while.
    pub(super) async fn add(&mut self, group: Vec<DueDecision>) {
        if self.is_patient {
            self.is_patient = self.slots_for(group.len()).await;
        }
        self.groups.push(record(self.shared, group, self.now).boxed());
        // Sets it going.
        if let Some(Some(ended)) = self.groups.next().now_or_never() {
            note(&mut self.outcome, ended);
        }
    }

    /// Waits until all are recorded. The first error, if there is one.
    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        while let Some(ended) = self.groups.next().await {
            note(&mut self.outcome, ended);
        }
        self.outcome
    }

    /// Waits for so many slots; whether they are there. Others that wait for slots go first: then there is nothing to
    /// wait for.
    async fn slots_for(&mut self, runs: usize) -> bool {
        let wanted = runs.min(usize::try_from(self.shared.config.concurrency).unwrap_or(usize::MAX));
        if self.shared.slots.available_permits() >= wanted {
            return true;
        }
        let slots = self.shared.slots.acquire_many(u32::try_from(wanted).unwrap_or(u32::MAX));
        let patience = tokio::time::sleep(PATIENCE);
        tokio::pin!(slots, patience);
        while self.shared.lock_queue().is_empty() {
            tokio::select! {
                _slots = &mut slots => return true,
                () = &mut patience => return false,
                Some(ended) = self.groups.next() => note(&mut self.outcome, ended),
            }
        }
        false
    }
}

/// The first error counts.
fn note(outcome: &mut Result<(), StoreError>, ended: Result<(), StoreError>) {
    if outcome.is_ok() {
        *outcome = ended;
    }
}

/// Records decisions in one transaction, and starts what there are slots for.
async fn record(
    shared: &Arc<Shared>,
    mut decisions: Vec<DueDecision>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let _room = heed_quotas(shared, &mut decisions);
    let mut fired: BTreeMap<&TenantId, u32> = BTreeMap::new();
    for decision in &decisions {
        *fired.entry(&decision.tenant).or_default() += u32::try_from(decision.fire.len()).unwrap_or(u32::MAX);
    }
    let runs: u32 = fired.values().sum();
    let tasks = decisions.iter().map(|decision| (&decision.tenant, &decision.task_id));
    let mut at_once = shared.slots_at_once(&fired, tasks);
    let recording = Recording::begin(shared, None);
    let recorded = shared.store.record_due(decisions, at_once.executions.clone(), now).await;
    shared.keep_started(&at_once, recorded.as_ref().ok().into_iter());
    tracing::debug!(runs, "fire.recorded");
    let recorded = recorded?;
    recording.end(shared, None, recorded.recorded());
    shared.follow(recorded, &mut at_once.slots);
    Ok(())
}

/// Skips what would be more waiting runs than a tenant may have. The one due time of a one-off is never skipped: of them
/// there are no more than tasks. The room for the others lasts until they are queued.
fn heed_quotas(shared: &Shared, decisions: &mut [DueDecision]) -> Vec<Room> {
    let mut wanted: BTreeMap<TenantId, usize> = BTreeMap::new();
    for decision in decisions.iter().filter(|decision| decision.next_run_at.is_some()) {
        *wanted.entry(decision.tenant.clone()).or_default() += decision.fire.len();
    }
    let mut rooms = Vec::new();
    for (tenant, runs) in wanted {
        let Some(kept) = shared.tenants.find(&tenant) else { continue };
        if let Ok(room) = shared.room(&kept, runs) {
            rooms.push(room);
            continue;
        }
        let repeating = |decision: &&mut DueDecision| decision.next_run_at.is_some();
        for decision in decisions.iter_mut().filter(repeating).filter(|decision| decision.tenant == tenant) {
            if let Ok(room) = shared.room(&kept, decision.fire.len()) {
                rooms.push(room);
            } else {
                let skipped = decision.fire.drain(..).map(|(at, _)| Skip::one(SkipReason::Quota, at));
                decision.skips.extend(skipped);
            }
        }
    }
    rooms
}
