//! The loop that gives recorded runs a slot.

use std::sync::Arc;

use innkeeper_model::id::ExecutionId;
use innkeeper_store::{Claim, ClaimRequest, QueuedRun, StoreError};
use tokio::sync::OwnedSemaphorePermit;

use crate::execute;
use crate::fire::NAP;
use crate::state::Shared;

/// Runs claimed in one transaction.
const GROUP_MAX: usize = 256;

/// Claims and starts runs until the runner stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    while !shared.stopping.is_cancelled() {
        // Registered before the queue is read, so that no run is missed.
        let nudge = shared.queued.notified();
        tokio::pin!(nudge);
        nudge.as_mut().enable();
        let slots = tokio::select! {
            () = shared.stopping.cancelled() => return,
            slots = free_slots(&shared) => slots,
        };
        let now = shared.clock.now();
        let runs = shared.lock_queue().take(now, slots.num_permits());
        if !runs.is_empty() {
            match start(&shared, runs, slots).await {
                Ok(()) => continue,
                Err(StoreError::Stopped) => return,
                Err(error) => tracing::error!(%error, "dispatch.claim failed"),
            }
        }
        let next = shared.lock_queue().next_ready_at();
        let wait = next.map_or(NAP, |at| at.since(shared.clock.now()).min(NAP));
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = nudge => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Waits for a free slot, then takes all that are free, up to a bound.
async fn free_slots(shared: &Shared) -> OwnedSemaphorePermit {
    let acquired = Arc::clone(&shared.slots).acquire_owned().await;
    let mut slots = acquired.expect("the slots are never closed");
    while slots.num_permits() < GROUP_MAX {
        let Ok(more) = Arc::clone(&shared.slots).try_acquire_owned() else { break };
        slots.merge(more);
    }
    slots
}

/// Claims `runs` and starts those that were free to be claimed. On an error they go back into the queue.
async fn start(
    shared: &Arc<Shared>,
    runs: Vec<QueuedRun>,
    mut slots: OwnedSemaphorePermit,
) -> Result<(), StoreError> {
    let request = |run: &QueuedRun| ClaimRequest {
        tenant: run.tenant.clone(),
        run_id: run.run_id,
        execution_id: shared.ids.next(ExecutionId::new),
    };
    let claimed = shared.store.claim(runs.iter().map(request).collect(), shared.clock.now()).await;
    let claims = match claimed {
        Ok(claims) => claims,
        Err(error) => {
            let now = shared.clock.now();
            let mut queue = shared.lock_queue();
            for run in runs {
                queue.push(run, now);
            }
            return Err(error);
        }
    };
    for claim in claims {
        // A paused task's runs stay in the store; resuming brings them back. What is gone was deleted meanwhile.
        let Claim::Started(claimed) = claim else { continue };
        let slot = slots.split(1).expect("no more is claimed than there are slots");
        shared.executions.spawn(execute::run(Arc::clone(shared), *claimed, slot));
    }
    Ok(())
}
