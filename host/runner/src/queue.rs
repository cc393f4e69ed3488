//! Which run is dispatched next: pure, in memory, rebuilt from the store at start.

mod turns;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use innkeeper_model::id::{RunId, TaskId, TenantId};
use innkeeper_model::time::Timestamp;
use innkeeper_store::QueuedRun;

pub(crate) use self::turns::Share;
use self::turns::Turns;

type TaskKey = (TenantId, TaskId);

/// Runs that wait, by tenant. Tenants take turns, by their weights and within their shares of the slots; the runs of one
/// tenant go in the order in which they became ready. The runs of a task that has been refused a start stand behind its gate, and are let out one after the
/// other, so that a long queue of them costs nobody anything.
#[derive(Debug, Default)]
pub(crate) struct DispatchQueue {
    ready: HashMap<TenantId, VecDeque<QueuedRun>>,
    turns: Turns,
    later: BTreeMap<(Timestamp, RunId), QueuedRun>,
    gates: HashMap<TaskKey, Gate>,
    /// The gates that open by themselves, by when.
    opening: BTreeSet<(Timestamp, TaskKey)>,
    known: HashSet<RunId>,
    /// Tasks of which a run ended since the last claim began: what that claim says of them may be out of date.
    ended: HashSet<TaskKey>,
    /// Runs of paused tasks: they are left in the store until their task is resumed.
    parked: HashMap<TaskKey, u64>,
    /// How many runs wait, those of paused tasks included.
    waiting: HashMap<TenantId, u64>,
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
        if !self.note(&run) {
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
            let Some(tenant) = self.turns.next() else { break };
            let runs = self.ready.get_mut(&tenant);
            let run = runs.and_then(VecDeque::pop_front);
            let has_more = self.ready.get(&tenant).is_some_and(|runs| !runs.is_empty());
            if !has_more {
                self.ready.remove(&tenant);
            }
            let run = run.and_then(|run| self.pass_gate(run));
            self.turns.taken(&tenant, run.is_some(), has_more);
            taken.extend(run);
        }
        for run in &taken {
            self.known.remove(&run.run_id);
        }
        taken
    }

    /// Notes that the claim of a run that was taken is answered. Until then it counts as one that waits.
    pub(crate) fn answered(&mut self, run: &QueuedRun) {
        self.count_down(&run.tenant, 1);
    }

    /// Has a tenant take part with this share from now on.
    pub(crate) fn set_share(&mut self, tenant: &TenantId, share: Share) {
        self.turns.set(tenant, share);
    }

    /// How many executions of a tenant run, or are about to, and how many may.
    pub(crate) fn load(&self, tenant: &TenantId) -> (u32, u32) {
        self.turns.load(tenant)
    }

    /// Takes up `count` places of a tenant's share for runs that are about to be claimed; `false` if there are not so
    /// many.
    pub(crate) fn reserve(&mut self, tenant: &TenantId, count: u32) -> bool {
        self.turns.reserve(tenant, count)
    }

    /// Gives back places of a tenant's share: executions have ended, or runs that were taken did not start. Returns
    /// whether others of it may start now.
    pub(crate) fn free(&mut self, tenant: &TenantId, count: u32) -> bool {
        self.turns.free(tenant, count)
    }

    /// How many runs of a tenant wait, in whatever way.
    pub(crate) fn waiting(&self, tenant: &TenantId) -> u64 {
        self.waiting.get(tenant).copied().unwrap_or(0)
    }

    /// Whether a run could be taken now.
    pub(crate) fn has_ready(&mut self, now: Timestamp) -> bool {
        self.wake(now);
        !self.turns.is_empty()
    }

    /// Whether no run waits for a slot. Runs whose time has not come, that stand behind a gate, or whose tenant has all it
    /// may have, do not count.
    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
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
        self.note(&run);
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

    /// Notes that a run of the task has ended, or that the task has changed: another may be able to start. Returns whether
    /// one was let out for it.
    pub(crate) fn reopen(&mut self, tenant: &TenantId, task: &TaskId) -> bool {
        let key = (tenant.clone(), task.clone());
        let is_open = self.gates.get(&key).is_some_and(|gate| gate.opens_at.is_none());
        let is_let_out = is_open && self.let_out(&key, 1);
        self.ended.insert(key);
        is_let_out
    }

    /// Forgets the runs behind a task's gate, and those that were parked: it was changed or deleted.
    pub(crate) fn forget(&mut self, tenant: &TenantId, task: &TaskId) {
        let key = (tenant.clone(), task.clone());
        self.forget_gate(&key);
        let parked = self.parked.remove(&key).unwrap_or(0);
        self.count_down(tenant, parked);
    }

    /// Notes that a run's task is paused: it is left in the store, with those behind the task's gate.
    pub(crate) fn park(&mut self, run: &QueuedRun) {
        let key = key(run);
        let parked = self.forget_gate(&key).saturating_add(1);
        *self.waiting.entry(run.tenant.clone()).or_default() += parked;
        *self.parked.entry(key).or_default() += parked;
    }

    /// Forgets everything of a tenant that is gone.
    pub(crate) fn forget_tenant(&mut self, tenant: &TenantId) {
        let gated: Vec<_> = self.gates.keys().filter(|(of, _)| of == tenant).cloned().collect();
        for key in &gated {
            self.forget_gate(key);
        }
        let ready = self.ready.remove(tenant).unwrap_or_default();
        for run in ready {
            self.known.remove(&run.run_id);
        }
        let later: Vec<_> =
            self.later.iter().filter(|(_, run)| run.tenant == *tenant).map(|(place, _)| *place).collect();
        for place in later {
            self.later.remove(&place);
            self.known.remove(&place.1);
        }
        self.ended.retain(|(of, _)| of != tenant);
        self.parked.retain(|(of, _), _| of != tenant);
        self.waiting.remove(tenant);
        self.turns.remove(tenant);
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

    /// Lets out the first runs behind a gate; whether there were any. The gate is gone once nothing waits behind it.
    fn let_out(&mut self, key: &TaskKey, count: u32) -> bool {
        let Some(gate) = self.gates.get_mut(key) else { return false };
        let mut first = Vec::new();
        while first.len() < usize::try_from(count).unwrap_or(usize::MAX) {
            let Some((_, run)) = gate.waiting.pop_first() else { break };
            gate.let_out.insert(run.run_id);
            first.push(run);
        }
        let any = !first.is_empty();
        // The last is put in front first, so that they stand in their order.
        for run in first.into_iter().rev() {
            self.make_ready(run, true);
        }
        if self.gates.get(key).is_some_and(|gate| gate.waiting.is_empty() && gate.let_out.is_empty()) {
            self.gates.remove(key);
        }
        any
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

    /// Notes that a run waits; whether it did not before.
    fn note(&mut self, run: &QueuedRun) -> bool {
        let is_new = self.known.insert(run.run_id);
        if is_new {
            *self.waiting.entry(run.tenant.clone()).or_default() += 1;
        }
        is_new
    }

    fn forget_run(&mut self, run: &QueuedRun) {
        if self.known.remove(&run.run_id) {
            self.count_down(&run.tenant, 1);
        }
    }

    fn count_down(&mut self, tenant: &TenantId, count: u64) {
        if let Some(waiting) = self.waiting.get_mut(tenant) {
            *waiting = waiting.saturating_sub(count);
        }
    }

    /// Returns how many runs stood behind the gate.
    fn forget_gate(&mut self, key: &TaskKey) -> u64 {
        let Some(gate) = self.gates.remove(key) else { return 0 };
        if let Some(at) = gate.opens_at {
            self.opening.remove(&(at, key.clone()));
        }
        for run in gate.waiting.values() {
            self.forget_run(run);
        }
        u64::try_from(gate.waiting.len()).unwrap_or(u64::MAX)
    }

    fn make_ready(&mut self, run: QueuedRun, first: bool) {
        self.turns.wait(&run.tenant);
        let runs = self.ready.entry(run.tenant.clone()).or_default();
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
mod tests;
