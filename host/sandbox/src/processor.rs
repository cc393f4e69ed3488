//! Turns on the processor.
//!
//! A guest waits for its turn before it starts, and again at every tick that it computes. There are as many turns as
//! processors for guests, and tenants have them in rotation: beside a thousand endless loops of one tenant, another's
//! guest starts within a tick.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use innkeeper_model::id::TenantId;
use tokio::sync::oneshot;

/// Gives out turns.
#[derive(Debug)]
pub(crate) struct Processor(Mutex<Round>);

#[derive(Debug)]
struct Round {
    free: usize,
    waiting: HashMap<TenantId, VecDeque<oneshot::Sender<Turn>>>,
    tenants: VecDeque<TenantId>,
}

/// Where a guest's turn is while it computes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Turn>>>);

impl Slot {
    /// Ends the turn, if there is one: the guest waits for something.
    pub(crate) fn end(&self) {
        // Dropped after the lock is given back.
        let _ended = self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn; when it is dropped, the next one has it.
#[derive(Debug)]
struct Turn(Option<Arc<Processor>>);

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(processor) = self.0.take() {
            processor.pass_on();
        }
    }
}

impl Processor {
    /// As many turns as there are threads that run guests.
    pub(crate) fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Round { free: threads, waiting: HashMap::new(), tenants: VecDeque::new() })))
    }

    /// Waits for the first turn of a guest of `tenant`.
    pub(crate) async fn enter(self: &Arc<Self>, tenant: &TenantId) -> Slot {
        let slot = Slot::default();
        let turn = match self.free_turn() {
            Some(turn) => Some(turn),
            // The other end is held by the queue until it is this one's turn.
            None => self.queue(tenant).await.ok(),
        };
        *slot.lock() = turn;
        slot
    }

    /// A turn that nobody waits for.
    fn free_turn(self: &Arc<Self>) -> Option<Turn> {
        let mut round = self.lock();
        let is_free = round.free > 0;
        round.free -= usize::from(is_free);
        is_free.then(|| Turn(Some(Arc::clone(self))))
    }

    /// Gives way, and resolves when the turn of a guest of `tenant` has come; the turn is in `slot` then.
    pub(crate) fn give_way(
        self: &Arc<Self>,
        tenant: &TenantId,
        slot: Slot,
    ) -> impl Future<Output = ()> + Send + 'static {
        let turn = self.queue(tenant);
        async move {
            // At least once: whoever waits for the guest is to look whether it is to stop.
            tokio::task::yield_now().await;
            if let Ok(turn) = turn.await {
                *slot.lock() = Some(turn);
            }
        }
    }

    fn queue(self: &Arc<Self>, tenant: &TenantId) -> oneshot::Receiver<Turn> {
        let (sender, receiver) = oneshot::channel();
        let mut round = self.lock();
        let of_tenant = round.waiting.entry(tenant.clone()).or_default();
        let is_first = of_tenant.is_empty();
        of_tenant.push_back(sender);
        if is_first {
            round.tenants.push_back(tenant.clone());
        }
        let is_free = round.free > 0;
        round.free -= usize::from(is_free);
        drop(round);
        if is_free {
            self.pass_on();
        }
        receiver
    }

    /// Gives a turn to the next guest that still waits.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let Some(sender) = self.next() else { return };
            match sender.send(Turn(Some(Arc::clone(self)))) {
                Ok(()) => return,
                // It ended while it waited: the turn is still to be given.
                Err(mut turn) => turn.0 = None,
            }
        }
    }

    /// Who is next; with nobody there the turn is free.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut round = self.lock();
        let Some(tenant) = round.tenants.pop_front() else {
            round.free += 1;
            return None;
        };
        let waiting = round.waiting.get_mut(&tenant)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            round.waiting.remove(&tenant);
        } else {
            round.tenants.push_back(tenant);
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, Round> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(tenant: &str) -> TenantId {
        tenant.parse().expect("a tenant")
    }

    fn turn(waiting: &mut oneshot::Receiver<Turn>) -> Option<Turn> {
        waiting.try_recv().ok()
    }

    #[test]
    fn tenants_take_turns_whoever_has_more_guests() {
        let processor = Processor::new(1);
        let mut flood: Vec<_> = (0..3).map(|_| processor.queue(&id("flood"))).collect();
        let mut quiet = processor.queue(&id("quiet"));
        let first = turn(&mut flood[0]).expect("one is free");
        assert!(turn(&mut flood[1]).is_none() && turn(&mut quiet).is_none());
        drop(first);
        let second = turn(&mut flood[1]).expect("it was first in the round");
        drop(second);
        let third = turn(&mut quiet).expect("before the flood's third");
        assert!(turn(&mut flood[2]).is_none());
        drop(third);
        assert!(turn(&mut flood[2]).is_some());
    }

    #[test]
    fn who_ended_while_it_waited_takes_no_turn_with_it() {
        let processor = Processor::new(1);
        let mut first = processor.queue(&id("a"));
        let held = turn(&mut first).expect("one is free");
        drop(processor.queue(&id("a")));
        let mut third = processor.queue(&id("a"));
        drop(held);
        let last = turn(&mut third).expect("the second is passed over");
        drop(last);
        assert_eq!(processor.lock().free, 1);
        let fourth = processor.queue(&id("a"));
        drop(fourth);
        assert_eq!(processor.lock().free, 1, "also if it had its turn and did not take it");
    }

    #[tokio::test]
    async fn a_guest_that_waits_for_something_else_gives_its_turn_back() {
        let processor = Processor::new(1);
        let (one, other) = (Slot::default(), Slot::default());
        let first = processor.enter(&id("a")).await;
        first.end();
        processor.give_way(&id("a"), one.clone()).await;
        assert!(one.lock().is_some());
        let second = processor.give_way(&id("a"), other.clone());
        one.end();
        second.await;
        assert!(one.lock().is_none() && other.lock().is_some());
    }
}
