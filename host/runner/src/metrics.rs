//! What a runner counts of its own work. Counting costs the way of a run a few atomics and, for its tenant, one look into
//! a map.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::TenantId;
use innkeeper_model::measure::{Counter, Histogram, Spread};
use innkeeper_model::sandbox::SandboxFigures;
use innkeeper_model::time::Timestamp;
use innkeeper_store::{Claimed, RunEnding, Settlement, StoreFigures, Verdict};

use crate::retention::Pruned;
use crate::spans::{SpanFigures, SpanQueue};
use crate::task_runner::TaskRunner;

/// Figures of a runner since it was started.
#[derive(Debug, Clone, Default)]
pub struct RunnerFigures {
    /// Executions that succeeded.
    pub succeeded: u64,
    /// Executions that failed, by the failure's name.
    pub failed: Vec<(FailureKind, u64)>,
    /// How long executions were in the sandbox, in microseconds.
    pub durations: Spread,
    /// How long after its due time, or after it could start, an execution did, in microseconds.
    pub start_latencies: Spread,
    /// Executions that are followed by another attempt.
    pub retries: u64,
    /// Events that were published, by clients and by handlers.
    pub events: u64,
    /// Runs that are ready and wait for a slot.
    pub queued: u64,
    /// Runs that wait for their time, or for others of their task.
    pub held: u64,
    /// Executions in progress.
    pub running: u64,
    /// Executions that may be in progress at once.
    pub concurrency: u64,
    /// Executions of the tenants that were seen first, and of all others together.
    pub tenants: Vec<TenantFigures>,
    /// What retention has deleted.
    pub pruned: Pruned,
    /// Figures of the store.
    pub store: StoreFigures,
    /// Figures of the sandbox.
    pub sandbox: SandboxFigures,
    /// What became of the spans that are exported.
    pub spans: SpanFigures,
}

/// Figures of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantFigures {
    /// The tenant; `None` stands for all that were not among the first.
    pub tenant: Option<TenantId>,
    /// Executions that succeeded.
    pub succeeded: u64,
    /// Executions that failed.
    pub failed: u64,
    /// How long they were in the sandbox together, in microseconds.
    pub busy_us: u64,
}

impl TaskRunner {
    /// What it, its store and its sandbox counted, and what they hold now.
    #[must_use]
    pub fn figures(&self) -> RunnerFigures {
        let shared = &self.0;
        let metrics = &shared.metrics;
        let (queued, held) = shared.lock_queue().sizes();
        let running = shared.running.count();
        let failures = FailureKind::ALL.into_iter().zip(&metrics.failed);
        RunnerFigures {
            succeeded: metrics.succeeded.get(),
            failed: failures.map(|(kind, count)| (kind, count.get())).collect(),
            durations: metrics.durations.spread(),
            start_latencies: metrics.start_latencies.spread(),
            retries: metrics.retries.get(),
            events: metrics.events.get(),
            queued: queued as u64,
            held: held as u64,
            running: running as u64,
            concurrency: u64::from(shared.config.concurrency),
            tenants: metrics.tenants.figures(),
            pruned: shared.pruned.get(),
            store: shared.store.figures(),
            sandbox: shared.sandbox.figures(),
            spans: shared.config.spans.as_ref().map(SpanQueue::figures).unwrap_or_default(),
        }
    }
}

/// The counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    succeeded: Counter,
    failed: [Counter; FailureKind::ALL.len()],
    durations: Histogram,
    start_latencies: Histogram,
    retries: Counter,
    pub(crate) events: Counter,
    tenants: Tenants,
}

impl Metrics {
    /// Counters that tell at most `tenants_max` tenants apart.
    pub(crate) fn new(tenants_max: usize) -> Self {
        Self {
            succeeded: Counter::default(),
            failed: std::array::from_fn(|_| Counter::default()),
            durations: Histogram::of_durations(),
            start_latencies: Histogram::of_durations(),
            retries: Counter::default(),
            events: Counter::default(),
            tenants: Tenants::new(tenants_max),
        }
    }

    /// Counts an execution that enters the sandbox.
    pub(crate) fn started(&self, claimed: &Claimed, now: Timestamp) {
        // A first attempt is late from its due time on, a retry from when it could start.
        let due = claimed.scheduled_at.filter(|_| !claimed.has_started).unwrap_or(claimed.ready_at);
        self.start_latencies.record_duration(now.since(due));
    }

    /// Counts an execution whose end is stored.
    /// Notes that so many executions were found interrupted. Whose they are is in the audit trail.
    pub(crate) fn recovered(&self, interrupted: u32) {
        self.failed[FailureKind::Interrupted as usize].add(u64::from(interrupted));
    }

    pub(crate) fn ended(&self, settlement: &Settlement) {
        let busy_us = settlement.receipt.wall_us;
        self.durations.record(busy_us);
        let tenant = self.tenants.of(&settlement.tenant);
        tenant.busy_us.add(busy_us);
        match &settlement.verdict {
            Verdict::Success { events, .. } => {
                self.succeeded.increment();
                tenant.succeeded.increment();
                self.events.add(events.len() as u64);
            }
            Verdict::Failure { kind, run, .. } => {
                self.failed[*kind as usize].increment();
                tenant.failed.increment();
                self.retries.add(u64::from(matches!(run, RunEnding::Retry(_))));
            }
        }
    }
}

#[derive(Debug, Default)]
struct TenantCounters {
    succeeded: Counter,
    failed: Counter,
    busy_us: Counter,
}

/// Counters of the first tenants, and one set for all others: a metric must not grow with the number of customers.
#[derive(Debug)]
struct Tenants {
    max: usize,
    first: RwLock<HashMap<TenantId, Arc<TenantCounters>>>,
    other: Arc<TenantCounters>,
}

impl Tenants {
    fn new(max: usize) -> Self {
        Self { max, first: RwLock::default(), other: Arc::default() }
    }

    fn of(&self, tenant: &TenantId) -> Arc<TenantCounters> {
        let first = self.first.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = first.get(tenant) {
            return Arc::clone(counters);
        }
        if first.len() >= self.max {
            return Arc::clone(&self.other);
        }
        drop(first);
        let mut first = self.first.write().unwrap_or_else(PoisonError::into_inner);
        if first.len() >= self.max && !first.contains_key(tenant) {
            return Arc::clone(&self.other);
        }
        Arc::clone(first.entry(tenant.clone()).or_default())
    }

    fn figures(&self) -> Vec<TenantFigures> {
        let read = |tenant: Option<TenantId>, counters: &TenantCounters| TenantFigures {
            tenant,
            succeeded: counters.succeeded.get(),
            failed: counters.failed.get(),
            busy_us: counters.busy_us.get(),
        };
        let first = self.first.read().unwrap_or_else(PoisonError::into_inner);
        let mut figures: Vec<_> =
            first.iter().map(|(tenant, counters)| read(Some(tenant.clone()), counters)).collect();
        figures.sort_by(|one, other| one.tenant.cmp(&other.tenant));
        figures.push(read(None, &self.other));
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_beyond_the_bound_are_counted_together() {
        let tenants = Tenants::new(2);
        for name in ["a", "b", "c", "d", "a"] {
            tenants.of(&name.parse().expect("a tenant")).succeeded.increment();
        }
        let counts: Vec<_> = tenants
            .figures()
            .into_iter()
            .map(|figures| (figures.tenant.map(|tenant| tenant.to_string()), figures.succeeded))
            .collect();
        assert_eq!(counts, [(Some("a".to_owned()), 2), (Some("b".to_owned()), 1), (None, 2)]);
    }
}
