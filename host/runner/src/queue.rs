//! Which run is dispatched next: pure, in memory, rebuilt from the store at start.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use innkeeper_model::id::{RunId, TenantId};
use innkeeper_model::time::Timestamp;
use innkeeper_store::QueuedRun;

/// Runs that wait, by tenant. Tenants take turns, one run each; the runs of one tenant go in the order in which they
/// became ready.
#[derive(Debug, Default)]
pub(crate) struct DispatchQueue {
    ready: HashMap<TenantId, VecDeque<QueuedRun>>,
    turns: VecDeque<TenantId>,
    later: BTreeMap<(Timestamp, RunId), QueuedRun>,
    known: HashSet<RunId>,
}

impl DispatchQueue {
    /// Adds a run; one that waits already is not added again.
    pub(crate) fn push(&mut self, run: QueuedRun, now: Timestamp) {
        if !self.known.insert(run.run_id) {
            return;
        }
        if run.ready_at > now {
            self.later.insert((run.ready_at, run.run_id), run);
        } else {
            self.make_ready(run);
        }
    }

    /// Takes at most `count` runs whose time has come.
    pub(crate) fn take(&mut self, now: Timestamp, count: usize) -> Vec<QueuedRun> {
        self.wake(now);
        let mut taken = Vec::new();
        while taken.len() < count {
            let Some(tenant) = self.turns.pop_front() else { break };
            let Some(runs) = self.ready.get_mut(&tenant) else { continue };
            taken.extend(runs.pop_front());
            if runs.is_empty() {
                self.ready.remove(&tenant);
            } else {
                self.turns.push_back(tenant);
            }
        }
        for run in &taken {
            self.known.remove(&run.run_id);
        }
        taken
    }

    /// When the next run that is not ready yet will be.
    pub(crate) fn next_ready_at(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }

    fn wake(&mut self, now: Timestamp) {
        while let Some(entry) = self.later.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let run = entry.remove();
            self.make_ready(run);
        }
    }

    fn make_ready(&mut self, run: QueuedRun) {
        let runs = self.ready.entry(run.tenant.clone()).or_default();
        if runs.is_empty() {
            self.turns.push_back(run.tenant.clone());
        }
        runs.push_back(run);
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_model::id::TaskId;

    use super::*;

    fn run(tenant: &str, number: u8, ready_at: i64) -> QueuedRun {
        QueuedRun {
            tenant: tenant.parse().expect("a tenant"),
            task_id: "task".parse::<TaskId>().expect("a task"),
            run_id: RunId::new(Timestamp::from_millis(1), [number; 10]),
            ready_at: Timestamp::from_millis(ready_at),
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn tenants_take_turns() {
        let mut queue = DispatchQueue::default();
        for number in 0..4 {
            queue.push(run("flood", number, 0), at(0));
        }
        queue.push(run("quiet", 9, 0), at(0));
        let order: Vec<_> = queue.take(at(0), 9).into_iter().map(|run| run.tenant.to_string()).collect();
        assert_eq!(order, ["flood", "quiet", "flood", "flood", "flood"]);
    }

    #[test]
    fn a_run_waits_for_its_time_and_is_taken_once() {
        let mut queue = DispatchQueue::default();
        queue.push(run("a", 1, 50), at(0));
        queue.push(run("a", 1, 50), at(0));
        assert_eq!(queue.next_ready_at(), Some(at(50)));
        assert!(queue.take(at(49), 9).is_empty());
        assert_eq!(queue.take(at(50), 9).len(), 1);
        assert!(queue.take(at(60), 9).is_empty());
        assert_eq!(queue.next_ready_at(), None);
    }

    #[test]
    fn no_more_are_taken_than_asked_for() {
        let mut queue = DispatchQueue::default();
        for number in 0..5 {
            queue.push(run("a", number, 0), at(0));
        }
        assert_eq!(queue.take(at(0), 2).len(), 2);
        assert_eq!(queue.take(at(0), 9).len(), 3);
    }
}
