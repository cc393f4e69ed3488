//! Whose turn it is: weighted round robin over the tenants that have runs ready, each within its share of the slots.

use std::collections::{HashMap, VecDeque};

use innkeeper_model::id::TenantId;

/// What a tenant may have of the slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Starts in each round.
    pub(crate) weight: u32,
    /// Executions at once.
    pub(crate) concurrency: u32,
}

/// Nobody has said anything: a runner without tenants.
const UNLIMITED: Share = Share { weight: 1, concurrency: u32::MAX };

#[derive(Debug)]
struct Place {
    share: Share,
    /// Executions that run, or are about to be claimed.
    running: u32,
    /// Starts that are left to it in this round.
    credit: u32,
    /// Whether it has runs ready.
    waits: bool,
    /// Whether it stands in the round.
    is_in_round: bool,
}

impl Place {
    fn new(share: Share) -> Self {
        Self { share, running: 0, credit: 0, waits: false, is_in_round: false }
    }

    fn has_room(&self) -> bool {
        self.running < self.share.concurrency
    }
}

/// The round of the tenants. Who has runs ready and all that it may have stands beside it until something of it ends.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    places: HashMap<TenantId, Place>,
    round: VecDeque<TenantId>,
}

impl Turns {
    /// Has a tenant take part with this share.
    pub(crate) fn set(&mut self, tenant: &TenantId, share: Share) {
        let place = self.places.entry(tenant.clone()).or_insert_with(|| Place::new(share));
        place.share = share;
        place.credit = place.credit.min(share.weight);
        self.join(tenant);
    }

    /// Forgets a tenant.
    pub(crate) fn remove(&mut self, tenant: &TenantId) {
        self.places.remove(tenant);
        self.round.retain(|other| other != tenant);
    }

    /// Notes that a tenant has runs ready.
    pub(crate) fn wait(&mut self, tenant: &TenantId) {
        self.places.entry(tenant.clone()).or_insert_with(|| Place::new(UNLIMITED)).waits = true;
        self.join(tenant);
    }

    /// Whose turn it is. [`Turns::taken`] is to be told what came of it.
    pub(crate) fn next(&mut self) -> Option<TenantId> {
        while let Some(tenant) = self.round.front() {
            match self.places.get_mut(tenant) {
                Some(place) if place.waits && place.has_room() => return Some(tenant.clone()),
                Some(place) => place.is_in_round = false,
                None => {}
            }
            self.round.pop_front();
        }
        None
    }

    /// Notes what the tenant whose turn it was did with it: whether it took a run, and whether it has more of them.
    pub(crate) fn taken(&mut self, tenant: &TenantId, took: bool, has_more: bool) {
        let Some(place) = self.places.get_mut(tenant) else { return };
        place.waits = has_more;
        if took {
            place.running = place.running.saturating_add(1);
            place.credit =
                if place.credit == 0 { place.share.weight } else { place.credit }.saturating_sub(1);
        }
        let goes_on = has_more && place.has_room();
        if goes_on && (place.credit > 0 || !took) {
            return;
        }
        place.is_in_round = goes_on;
        self.round.pop_front();
        if goes_on {
            self.round.push_back(tenant.clone());
        }
        if !has_more {
            place.credit = 0;
        }
    }

    /// Takes up `count` places of a tenant's share; `false`, and none, if there are not so many.
    pub(crate) fn reserve(&mut self, tenant: &TenantId, count: u32) -> bool {
        let place = self.places.entry(tenant.clone()).or_insert_with(|| Place::new(UNLIMITED));
        let room = place.share.concurrency.saturating_sub(place.running);
        if count <= room {
            place.running = place.running.saturating_add(count);
        }
        count <= room
    }

    /// Gives back places. Returns whether the tenant has runs ready that may start now.
    pub(crate) fn free(&mut self, tenant: &TenantId, count: u32) -> bool {
        let Some(place) = self.places.get_mut(tenant) else { return false };
        place.running = place.running.saturating_sub(count);
        self.join(tenant)
    }

    /// Executions that run, or are about to be claimed, and how many may.
    pub(crate) fn load(&self, tenant: &TenantId) -> (u32, u32) {
        self.places.get(tenant).map_or((0, u32::MAX), |place| (place.running, place.share.concurrency))
    }

    /// Whether nobody has runs that may start.
    pub(crate) fn is_empty(&self) -> bool {
        let may_start = |tenant| self.places.get(tenant).is_some_and(|place| place.waits && place.has_room());
        !self.round.iter().any(may_start)
    }

    /// Puts a tenant into the round if it has runs ready and room: in front if it had to stand aside before its turn was
    /// over. Returns whether it has.
    fn join(&mut self, tenant: &TenantId) -> bool {
        let Some(place) = self.places.get_mut(tenant) else { return false };
        let may_start = place.waits && place.has_room();
        if may_start && !place.is_in_round {
            place.is_in_round = true;
            if place.credit > 0 {
                self.round.push_front(tenant.clone());
            } else {
                self.round.push_back(tenant.clone());
            }
        }
        may_start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(tenant: &str) -> TenantId {
        tenant.parse().expect("a tenant")
    }

    fn waiting(shares: &[(&str, u32, u32)]) -> Turns {
        let mut turns = Turns::default();
        for (tenant, weight, concurrency) in shares {
            turns.set(&id(tenant), Share { weight: *weight, concurrency: *concurrency });
            turns.wait(&id(tenant));
        }
        turns
    }

    /// Who starts next, if everybody always has more.
    fn starts(turns: &mut Turns, count: usize) -> String {
        let mut order = String::new();
        while order.len() < count {
            let Some(tenant) = turns.next() else { break };
            turns.taken(&tenant, true, true);
            order.push_str(tenant.as_str());
        }
        order
    }

    #[test]
    fn each_starts_as_often_in_a_round_as_its_weight_says() {
        let mut turns = waiting(&[("a", 3, 99), ("b", 1, 99), ("c", 2, 99)]);
        assert_eq!(starts(&mut turns, 12), "aaabccaaabcc");
    }

    #[test]
    fn who_has_all_it_may_have_stands_beside_until_something_ends() {
        let mut turns = waiting(&[("a", 1, 2), ("b", 1, 99)]);
        assert_eq!(starts(&mut turns, 6), "ababbb");
        assert_eq!(turns.load(&id("a")), (2, 2));
        assert!(turns.free(&id("a"), 1));
        assert_eq!(starts(&mut turns, 3), "bab");
        assert!(!turns.reserve(&id("a"), 1));
        turns.set(&id("a"), Share { weight: 1, concurrency: 3 });
        assert!(turns.reserve(&id("a"), 1), "a share can grow");
    }

    #[test]
    fn who_stands_beside_before_its_turn_is_over_goes_on_with_it() {
        let mut turns = waiting(&[("a", 3, 1), ("b", 1, 1)]);
        let mut order = String::new();
        for _ in 0..8 {
            let started = starts(&mut turns, 1);
            turns.free(&id(&started), 1);
            order.push_str(&started);
        }
        assert_eq!(order, "aaabaaab");
    }

    #[test]
    fn a_share_of_nothing_never_starts_and_holds_nobody_up() {
        let mut turns = waiting(&[("closed", 1, 0), ("b", 1, 1)]);
        assert_eq!(starts(&mut turns, 5), "b");
        assert!(turns.is_empty());
        turns.set(&id("closed"), Share { weight: 1, concurrency: 1 });
        assert!(!turns.is_empty());
        assert_eq!(starts(&mut turns, 5), "closed");
    }

    #[test]
    fn a_share_that_shrinks_while_its_tenant_stands_in_the_round_is_heeded() {
        let mut turns = waiting(&[("a", 1, 9)]);
        turns.set(&id("a"), Share { weight: 1, concurrency: 0 });
        assert!(turns.is_empty());
        assert_eq!(turns.next(), None);
    }

    #[test]
    fn a_turn_in_which_nothing_was_taken_costs_nothing() {
        let mut turns = waiting(&[("a", 1, 9), ("b", 1, 9)]);
        assert_eq!(turns.next(), Some(id("a")));
        turns.taken(&id("a"), false, true);
        assert_eq!(starts(&mut turns, 2), "ab", "what stood behind a gate was no start");
        assert_eq!(turns.load(&id("a")), (1, 9));
    }

    #[test]
    fn a_tenant_without_a_share_takes_part_all_the_same() {
        let mut turns = Turns::default();
        turns.wait(&id("a"));
        assert_eq!(starts(&mut turns, 2), "aa");
        turns.remove(&id("a"));
        assert!(turns.is_empty() && !turns.free(&id("a"), 1));
    }
}
