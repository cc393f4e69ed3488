//! Retention: what is older than the settings say is deleted, in small steps between which everybody else has their turn.
//! The same loop sees whether a disk that was full has room again.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::id::TenantId;
use innkeeper_model::measure::Counter;
use innkeeper_model::time::Timestamp;
use innkeeper_store::StoreError;
use serde::Serialize;

use crate::error::RunnerError;
use crate::fire::NAP;
use crate::state::Shared;
use crate::task_runner::TaskRunner;

/// An idempotency key holds for so long, however short events are kept.
const KEYS_HOLD: Duration = Duration::from_hours(24);

/// How long what has happened is kept. `None` keeps it for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Executions, with their logs.
    pub executions: Option<Duration>,
    /// The latest executions of each task; those of deleted tasks count alike.
    pub executions_per_task: Option<u32>,
    /// Events; one with an idempotency key stays for a day at least.
    pub events: Option<Duration>,
    /// Rows of the skip ledger, by their last due time.
    pub skips: Option<Duration>,
    /// The time between two sweeps.
    pub every: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |count: u64| Some(Duration::from_hours(24 * count));
        Self {
            executions: days(30),
            executions_per_task: Some(1000),
            events: days(7),
            skips: days(90),
            every: Duration::from_mins(10),
        }
    }
}

/// What a sweep deletes: everything before these instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cutoffs {
    executions: Option<Timestamp>,
    events: Option<Timestamp>,
    keyed_events: Timestamp,
    skips: Option<Timestamp>,
}

fn cutoffs(retention: &Retention, now: Timestamp) -> Cutoffs {
    let before = |age: Option<Duration>| age.map(|age| now.saturating_sub(age));
    let events = before(retention.events);
    let keys = now.saturating_sub(KEYS_HOLD);
    Cutoffs {
        executions: before(retention.executions),
        events,
        keyed_events: events.map_or(keys, |events| events.min(keys)),
        skips: before(retention.skips),
    }
}

/// What sweeps have deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pruned {
    /// Executions, each with its log.
    pub executions: u64,
    /// Events.
    pub events: u64,
    /// Rows of the skip ledger.
    pub skips: u64,
}

/// What sweeps have deleted since the start.
#[derive(Debug, Default)]
pub(crate) struct PrunedCounters {
    executions: Counter,
    events: Counter,
    skips: Counter,
}

impl PrunedCounters {
    pub(crate) fn get(&self) -> Pruned {
        Pruned { executions: self.executions.get(), events: self.events.get(), skips: self.skips.get() }
    }

    fn add(&self, pruned: Pruned) {
        self.executions.add(pruned.executions);
        self.events.add(pruned.events);
        self.skips.add(pruned.skips);
    }
}

impl TaskRunner {
    /// Deletes what the settings no longer keep, now, and returns what that was.
    ///
    /// # Errors
    /// Those of the store; what was deleted before is gone.
    pub async fn prune(&self) -> Result<Pruned, RunnerError> {
        Ok(sweep(&self.0).await?)
    }

    /// What was deleted because the settings no longer keep it, since the start.
    #[must_use]
    pub fn pruned(&self) -> Pruned {
        self.0.pruned.get()
    }
}

/// Sweeps from time to time until the runner stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut next = shared.clock.now().saturating_add(shared.config.retention.every);
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(NAP) => {}
        }
        if shared.store.is_full() && shared.store.regain_room() {
            // What waited for room goes on.
            shared.scheduled.notify_one();
            shared.queued.notify_one();
        }
        let now = shared.clock.now();
        shared.staged.expire(now);
        if now >= next {
            next = now.saturating_add(shared.config.retention.every);
            match sweep(&shared).await {
                Ok(pruned) => tracing::debug!(?pruned, "retention.swept"),
                Err(StoreError::Stopped) => return,
                Err(error) => tracing::error!(%error, "retention.sweep failed"),
            }
        }
    }
}

async fn sweep(shared: &Shared) -> Result<Pruned, StoreError> {
    let now = shared.clock.now();
    let cutoffs = cutoffs(&shared.config.retention, now);
    let mut all = Pruned::default();
    for tenant in shared.store.tenant_ids().await? {
        let executions = sweep_executions(shared, &tenant, &cutoffs, now).await?;
        let events = sweep_events(shared, &tenant, &cutoffs).await?;
        let pruned = Pruned { executions, events, skips: 0 };
        shared.pruned.add(pruned);
        all.executions += executions;
        all.events += events;
    }
    if let Some(before) = cutoffs.skips {
        all.skips = sweep_skips(shared, before).await?;
        shared.pruned.add(Pruned { skips: all.skips, ..Pruned::default() });
    }
    Ok(all)
}

async fn sweep_executions(
    shared: &Shared,
    tenant: &TenantId,
    cutoffs: &Cutoffs,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let store = &shared.store;
    let mut deleted = 0;
    if let Some(before) = cutoffs.executions {
        let mut after = None;
        while !shared.stopping.is_cancelled() {
            let step = store.prune_executions(tenant, before, after, now).await?;
            deleted += step.deleted;
            after = step.next;
            if after.is_none() {
                break;
            }
        }
    }
    if let Some(keep) = shared.config.retention.executions_per_task {
        let mut after = None;
        while !shared.stopping.is_cancelled() {
            let step = store.prune_crowded_task(tenant, keep, after, now).await?;
            deleted += step.deleted;
            after = step.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(deleted)
}

async fn sweep_events(shared: &Shared, tenant: &TenantId, cutoffs: &Cutoffs) -> Result<u64, StoreError> {
    let Some(before) = cutoffs.events else { return Ok(0) };
    let (mut deleted, mut after) = (0, None);
    while !shared.stopping.is_cancelled() {
        let step = shared.store.prune_events(tenant, before, cutoffs.keyed_events, after).await?;
        deleted += step.deleted;
        after = step.next;
        if after.is_none() {
            break;
        }
    }
    Ok(deleted)
}

async fn sweep_skips(shared: &Shared, before: Timestamp) -> Result<u64, StoreError> {
    let (mut deleted, mut after) = (0, Some(0));
    while let Some(row) = after.filter(|_| !shared.stopping.is_cancelled()) {
        let step = shared.store.prune_skips(before, row).await?;
        deleted += step.deleted;
        after = step.next;
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn cut_offs_are_ages_before_now() {
        let found = cutoffs(&Retention::default(), at("2025-12-31T00:00:00Z"));
        assert_eq!(found.executions, Some(at("2025-12-01T00:00:00Z")));
        assert_eq!(found.events, Some(at("2025-12-24T00:00:00Z")));
        assert_eq!(found.keyed_events, at("2025-12-24T00:00:00Z"));
        assert_eq!(found.skips, Some(at("2025-10-02T00:00:00Z")));
    }

    #[test]
    fn a_key_holds_for_a_day_however_short_events_are_kept() {
        let short = Retention { events: Some(Duration::from_mins(1)), ..Retention::default() };
        let found = cutoffs(&short, at("2025-12-31T00:00:00Z"));
        assert_eq!(found.events, Some(at("2025-12-30T23:59:00Z")));
        assert_eq!(found.keyed_events, at("2025-12-30T00:00:00Z"));
    }

    #[test]
    fn what_is_kept_for_ever_has_no_cut_off() {
        let forever = Retention { executions: None, events: None, skips: None, ..Retention::default() };
        let found = cutoffs(&forever, at("2025-12-31T00:00:00Z"));
        assert_eq!((found.executions, found.events, found.skips), (None, None, None));
    }
}
