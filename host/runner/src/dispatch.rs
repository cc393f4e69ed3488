//! The loop that gives recorded runs a slot.

use std::sync::Arc;

use innkeeper_model::id::ExecutionId;
use innkeeper_store::{Claim, ClaimRequest, Claimed, QueuedRun, StoreError};
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
        // Slots are taken only for runs that are there, and never kept while nothing is: others use them at once.
        let is_ready = !shared.store.is_full() && shared.lock_queue().has_ready(shared.clock.now());
        if is_ready {
            let slots = tokio::select! {
                () = shared.stopping.cancelled() => return,
                slots = free_slots(&shared) => slots,
            };
            let runs = shared.lock_queue().take(shared.clock.now(), slots.num_permits());
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
    // All that was ready stood behind gates.
    if runs.is_empty() {
        return Ok(());
    }
    let executions = shared.register(runs.len());
    let request = |(run, execution): (&QueuedRun, &ExecutionId)| ClaimRequest {
        tenant: run.tenant.clone(),
        run_id: run.run_id,
        execution_id: *execution,
    };
    let requests = runs.iter().zip(&executions).map(request).collect();
    let before =
        Before { let_start: shared.suspects.let_start(), made_room: shared.plugin_lines.made_room() };
    let claimed = shared.store.claim(requests, shared.clock.now()).await;
    let claims = match claimed {
        Ok(claims) => claims,
        Err(error) => {
            for execution in &executions {
                shared.running.unregister(execution);
            }
            let now = shared.clock.now();
            let mut queue = shared.lock_queue();
            for run in runs {
                queue.answered(&run);
                queue.free(&run.tenant, 1);
                queue.push(run, now);
            }
            return Err(error);
        }
    };
    for ((run, execution), claim) in runs.into_iter().zip(executions).zip(claims) {
        let Some(claimed) = note(shared, run, claim, &before) else {
            shared.running.unregister(&execution);
            continue;
        };
        let slot = slots.split(1).expect("no more is claimed than there are slots");
        shared.executions.spawn(execute::run(Arc::clone(shared), *claimed, slot));
    }
    Ok(())
}

/// What was counted before a claim began: what it says may be out of date when it is answered.
struct Before {
    let_start: u64,
    made_room: u64,
}

/// Tells the queue, and those who wait for the same plugin, what came of a claim; the execution, if there is one to be started.
fn note(shared: &Shared, run: QueuedRun, claim: Claim, before: &Before) -> Option<Box<Claimed>> {
    let (tenant, task) = (run.tenant.clone(), run.task_id.clone());
    if let Claim::PluginBusy(plugin) = claim {
        let mut queue = shared.lock_queue();
        queue.answered(&run);
        queue.free(&run.tenant, 1);
        queue.refused(run, None);
        if shared.plugin_lines.wait(&tenant, &plugin, &task, before.made_room) {
            queue.reopen(&tenant, &task);
        }
        return None;
    }
    let started = note_other(shared, run, claim, before);
    shared.arrived(&tenant, &task);
    started
}

fn note_other(shared: &Shared, run: QueuedRun, claim: Claim, before: &Before) -> Option<Box<Claimed>> {
    let mut queue = shared.lock_queue();
    queue.answered(&run);
    if let Claim::Started(claimed) = claim {
        queue.passed(&run, claimed.rate_left.unwrap_or(1));
        return Some(claimed);
    }
    queue.free(&run.tenant, 1);
    match claim {
        // Told elsewhere.
        Claim::Started(_) | Claim::PluginBusy(_) => {}
        Claim::Held(until) => queue.refused(run, Some(until)),
        Claim::Blocked => queue.refused(run, None),
        Claim::Suspected => {
            let is_out_of_date = shared.suspects.refused(&run, before.let_start);
            let (tenant, task) = (run.tenant.clone(), run.task_id.clone());
            queue.refused(run, None);
            if is_out_of_date {
                queue.reopen(&tenant, &task);
            }
        }
        // Its runs stay in the store; resuming brings them back.
        Claim::Paused => queue.park(&run),
        Claim::Early(ready_at) => queue.push(QueuedRun { ready_at, ..run }, shared.clock.now()),
        // It was deleted meanwhile, or over its rate limit.
        Claim::Gone | Claim::Dropped => queue.passed(&run, 1),
    }
    None
}
