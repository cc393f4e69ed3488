//! Which run is dispatched next: pure, in memory, rebuilt from the store at start.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use innkeeper_model::id::{RunId, TaskId, TenantId};
use innkeeper_model::time::Timestamp;
use innkeeper_store::QueuedRun;

type TaskKey = (TenantId, TaskId);

/// Runs that wait, by tenant. Tenants take turns, one run each; the runs of one tenant go in the order in which they
/// became ready. The runs of a task that has been refused a start stand behind its gate, and are let out one after the
/// other, so that a long queue of them costs nobody anything.
#[derive(Debug, Default)]
pub(crate) struct DispatchQueue {
    ready: HashMap<TenantId, VecDeque<QueuedRun>>,
    turns: VecDeque<TenantId>,
    later: BTreeMap<(Timestamp, RunId), QueuedRun>,
    gates: HashMap<TaskKey, Gate>,
    /// The gates that open by themselves, by when.
    opening: BTreeSet<(Timestamp, TaskKey)>,
    known: HashSet<RunId>,
    /// Tasks of which a run ended since the last claim began: what that claim says of them may be out of date.
    ended: HashSet<TaskKey>,
}

/// Who goes first through a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Started,
    New,
}

fn place(run: &QueuedRun) -> (Precedence, RunId) {
    (if run.has_started { Precedence::Started } else { Precedence::New }, run.run_id)
}

#[derive(Debug, Default)]
struct Gate {
    /// When it opens by itself; `None` if it opens when a run of the task ends.
    opens_at: Option<Timestamp>,
    /// In the order in which they are let out: those that have started before first, since others may wait for their end.
    waiting: BTreeMap<(Precedence, RunId), QueuedRun>,
    /// Runs that have been let out and not claimed yet.
    let_out: HashSet<RunId>,
}

impl DispatchQueue {
    /// Adds a run; one that waits already is not added again.
    pub(crate) fn push(&mut self, run: QueuedRun, now: Timestamp) {
        self.wake(now);
        if !self.known.insert(run.run_id) {
            return;
        }
        if run.ready_at > now {
            self.later.insert((run.ready_at, run.run_id), run);
        } else {
            self.make_ready(run, false);
        }
    }

    /// Takes at most `count` runs whose time has come; a claim of them begins.
    pub(crate) fn take(&mut self, now: Timestamp, count: usize) -> Vec<QueuedRun> {
        self.wake(now);
        self.ended.clear();
        let mut taken = Vec::new();
        while taken.len() < count {
            let Some(tenant) = self.turns.pop_front() else { break };
            let Some(runs) = self.ready.get_mut(&tenant) else { continue };
            let run = runs.pop_front();
            if runs.is_empty() {
                self.ready.remove(&tenant);
            } else {
                self.turns.push_back(tenant);
            }
            taken.extend(run.and_then(|run| self.pass_gate(run)));
        }
        for run in &taken {
            self.known.remove(&run.run_id);
        }
        taken
    }

    /// Whether a run could be taken now.
    pub(crate) fn has_ready(&mut self, now: Timestamp) -> bool {
        self.wake(now);
        !self.ready.is_empty()
    }

    /// Whether no run waits for a slot. Runs whose time has not come, or that stand behind a gate, do not count.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// How many runs wait for a slot, and how many for their time or behind a gate.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let ready = self.ready.values().map(VecDeque::len).sum();
        let behind_gates: usize = self.gates.values().map(|gate| gate.waiting.len()).sum();
        (ready, self.later.len() + behind_gates)
    }

    /// When the next run that is not ready yet will be.
    pub(crate) fn next_ready_at(&self) -> Option<Timestamp> {
        let later = self.later.first_key_value().map(|((at, _), _)| *at);
        let gate = self.opening.first().map(|(at, _)| *at);
        later.into_iter().chain(gate).min()
    }

    /// Notes that a run was refused a start until `opens_at`, or until a run of its task ends.
    pub(crate) fn refused(&mut self, run: QueuedRun, opens_at: Option<Timestamp>) {
        let key = key(&run);
        let out_of_date = opens_at.is_none() && self.ended.contains(&key);
        self.known.insert(run.run_id);
        let gate = self.gates.entry(key.clone()).or_default();
        gate.let_out.remove(&run.run_id);
        gate.waiting.insert(place(&run), run);
        // What the others wait for may itself be held by the rate limit: then its window opens the gate.
        let holds_started = gate.waiting.keys().any(|(precedence, _)| *precedence == Precedence::Started);
        let opens_at = opens_at.or(gate.opens_at.filter(|_| holds_started));
        let before = std::mem::replace(&mut gate.opens_at, opens_at);
        self.opening.extend(opens_at.map(|at| (at, key.clone())));
        if let Some(before) = before.filter(|before| Some(*before) != opens_at) {
            self.opening.remove(&(before, key.clone()));
        }
        if out_of_date {
            self.let_out(&key, 1);
        }
    }

    /// Notes that a run was claimed, or is gone, and that so many more of its task may start. At least one is let out:
    /// its claim tells until when the others are held.
    pub(crate) fn passed(&mut self, run: &QueuedRun, left: u32) {
        let key = key(run);
        if let Some(gate) = self.gates.get_mut(&key) {
            gate.let_out.remove(&run.run_id);
            self.let_out(&key, left.max(1));
        }
    }

    /// Notes that a run of the task has ended, or that the task has changed: another may be able to start.
    pub(crate) fn reopen(&mut self, tenant: &TenantId, task: &TaskId) {
        let key = (tenant.clone(), task.clone());
        if self.gates.get(&key).is_some_and(|gate| gate.opens_at.is_none()) {
            self.let_out(&key, 1);
        }
        self.ended.insert(key);
    }

    /// Forgets the runs behind a task's gate: it was paused or deleted.
    pub(crate) fn forget(&mut self, tenant: &TenantId, task: &TaskId) {
        let key = (tenant.clone(), task.clone());
        if let Some(gate) = self.gates.remove(&key) {
            if let Some(at) = gate.opens_at {
                self.opening.remove(&(at, key));
            }
            for run in gate.waiting.values() {
                self.known.remove(&run.run_id);
            }
        }
    }

    /// Whether any of these tasks has a gate: then others go first.
    pub(crate) fn is_gated<'a>(
        &self,
        tenant: &TenantId,
        tasks: impl IntoIterator<Item = &'a TaskId>,
    ) -> bool {
        !self.gates.is_empty()
            && tasks.into_iter().any(|task| self.gates.contains_key(&(tenant.clone(), task.clone())))
    }

    /// Behind its gate if the task has one that is shut for this run. A run that has started before may be what the others
    /// wait for: no end of an execution would open the gate to it.
    fn pass_gate(&mut self, run: QueuedRun) -> Option<QueuedRun> {
        let Some(gate) = self.gates.get_mut(&key(&run)) else { return Some(run) };
        let goes_ahead = run.has_started && gate.opens_at.is_none();
        if goes_ahead || gate.let_out.contains(&run.run_id) {
            return Some(run);
        }
        gate.waiting.insert(place(&run), run);
        None
    }

    /// Lets out the first runs behind a gate. The gate is gone once nothing waits behind it.
    fn let_out(&mut self, key: &TaskKey, count: u32) {
        let Some(gate) = self.gates.get_mut(key) else { return };
        let mut first = Vec::new();
        while first.len() < usize::try_from(count).unwrap_or(usize::MAX) {
            let Some((_, run)) = gate.waiting.pop_first() else { break };
            gate.let_out.insert(run.run_id);
            first.push(run);
        }
        // The last is put in front first, so that they stand in their order.
        for run in first.into_iter().rev() {
            self.make_ready(run, true);
        }
        if self.gates.get(key).is_some_and(|gate| gate.waiting.is_empty() && gate.let_out.is_empty()) {
            self.gates.remove(key);
        }
    }

    fn wake(&mut self, now: Timestamp) {
        while let Some(entry) = self.later.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let run = entry.remove();
            self.make_ready(run, false);
        }
        while self.opening.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.opening.pop_first() else { return };
            if let Some(gate) = self.gates.get_mut(&key) {
                gate.opens_at = None;
            }
            self.let_out(&key, 1);
        }
    }

    fn make_ready(&mut self, run: QueuedRun, first: bool) {
        let runs = self.ready.entry(run.tenant.clone()).or_default();
        if runs.is_empty() {
            self.turns.push_back(run.tenant.clone());
        }
        if first {
            runs.push_front(run);
        } else {
            runs.push_back(run);
        }
    }
}

fn key(run: &QueuedRun) -> TaskKey {
    (run.tenant.clone(), run.task_id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_of(tenant: &str, task: &str, number: u8, ready_at: i64) -> QueuedRun {
        QueuedRun {
            tenant: tenant.parse().expect("a tenant"),
            task_id: task.parse().expect("a task"),
            run_id: RunId::new(Timestamp::from_millis(i64::from(number)), [number; 10]),
            ready_at: Timestamp::from_millis(ready_at),
            has_started: false,
        }
    }

    fn run(tenant: &str, number: u8, ready_at: i64) -> QueuedRun {
        run_of(tenant, "task", number, ready_at)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn taken(queue: &mut DispatchQueue, now: i64) -> Vec<RunId> {
        queue.take(at(now), 99).into_iter().map(|run| run.run_id).collect()
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

    #[test]
    fn a_held_task_starts_again_in_order_when_its_window_opens() {
        let mut queue = DispatchQueue::default();
        let runs: Vec<_> = (0..4).map(|number| run("a", number, 0)).collect();
        runs.iter().cloned().for_each(|run| queue.push(run, at(0)));
        assert_eq!(queue.take(at(0), 2).len(), 2);
        queue.refused(runs[1].clone(), Some(at(100)));
        queue.refused(runs[0].clone(), Some(at(100)));
        assert_eq!(taken(&mut queue, 50), [], "the others gather behind the gate without being claimed");
        assert_eq!(queue.next_ready_at(), Some(at(100)));
        assert_eq!(taken(&mut queue, 100), [runs[0].run_id], "the oldest goes first, alone");
        queue.passed(&runs[0], 2);
        assert_eq!(
            taken(&mut queue, 100),
            [runs[1].run_id, runs[2].run_id],
            "as many as the window has left"
        );
        queue.passed(&runs[1], 0);
        assert_eq!(taken(&mut queue, 100), [runs[3].run_id], "one asks until when the others are held");
        queue.refused(runs[2].clone(), Some(at(200)));
        queue.refused(runs[3].clone(), Some(at(200)));
        queue.push(run("a", 9, 0), at(200));
        assert_eq!(taken(&mut queue, 200), [runs[2].run_id], "those who waited go before those who come");
        queue.passed(&runs[2], 9);
        assert_eq!(taken(&mut queue, 200).len(), 2);
        assert!(queue.gates.is_empty() || queue.gates.values().all(|gate| gate.waiting.is_empty()));
    }

    #[test]
    fn a_blocked_run_starts_when_one_of_its_task_ends_even_if_that_was_during_the_claim() {
        let mut queue = DispatchQueue::default();
        let blocked = run("a", 1, 0);
        queue.push(blocked.clone(), at(0));
        assert_eq!(taken(&mut queue, 0), [blocked.run_id]);
        queue.refused(blocked.clone(), None);
        assert_eq!(taken(&mut queue, 9), []);
        queue.reopen(&blocked.tenant, &blocked.task_id);
        assert_eq!(taken(&mut queue, 9), [blocked.run_id]);
        queue.reopen(&blocked.tenant, &blocked.task_id);
        queue.refused(blocked.clone(), None);
        assert_eq!(taken(&mut queue, 9), [blocked.run_id], "the answer was out of date");
        queue.passed(&blocked, 1);
        assert!(queue.gates.is_empty());
    }

    #[test]
    fn a_retry_goes_ahead_of_what_waits_for_its_run_to_end() {
        let mut queue = DispatchQueue::default();
        let blocked = run("a", 1, 0);
        queue.refused(blocked.clone(), None);
        let retry = QueuedRun { has_started: true, ..run("a", 2, 50) };
        queue.push(retry.clone(), at(0));
        assert_eq!(taken(&mut queue, 49), []);
        assert_eq!(taken(&mut queue, 50), [retry.run_id]);
        queue.reopen(&blocked.tenant, &blocked.task_id);
        assert_eq!(taken(&mut queue, 50), [blocked.run_id]);
    }

    #[test]
    fn a_retry_that_a_rate_limit_holds_goes_before_what_waits_for_it() {
        let mut queue = DispatchQueue::default();
        let waits = run("a", 1, 0);
        let retry = QueuedRun { has_started: true, ..run("a", 2, 0) };
        queue.refused(waits.clone(), None);
        queue.reopen(&waits.tenant, &waits.task_id);
        assert_eq!(taken(&mut queue, 0), [waits.run_id]);
        queue.refused(retry.clone(), Some(at(100)));
        queue.refused(waits.clone(), None);
        assert_eq!(taken(&mut queue, 99), []);
        assert_eq!(taken(&mut queue, 100), [retry.run_id], "the window opens the gate, for the retry first");
        queue.passed(&retry, 1);
        assert_eq!(taken(&mut queue, 100), [waits.run_id]);
    }

    #[test]
    fn a_gate_holds_its_own_task_only() {
        let mut queue = DispatchQueue::default();
        let held = run_of("a", "held", 1, 0);
        queue.push(held.clone(), at(0));
        assert_eq!(queue.take(at(0), 1).len(), 1);
        queue.refused(held.clone(), Some(at(1000)));
        queue.push(run_of("a", "free", 2, 0), at(0));
        queue.push(run_of("a", "held", 3, 0), at(0));
        assert_eq!(taken(&mut queue, 0).len(), 1);
        queue.forget(&held.tenant, &held.task_id);
        queue.push(held, at(0));
        assert_eq!(taken(&mut queue, 0).len(), 1, "a task that was forgotten begins anew");
    }
}
