//! Where new identifiers come from.

use std::sync::{Arc, Mutex, PoisonError};

use innkeeper_model::clock::Clock;
use innkeeper_model::time::Timestamp;

/// Gives out what makes identifiers unique and ordered: each is greater than the one before, also within a millisecond
/// and when the clock goes back (RFC 9562, section 6.2, a counter in the bits after the timestamp).
pub struct IdSource {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    /// The operating system's randomness, drawn in blocks.
    random: [u8; 2560],
    used: usize,
    millis: i64,
    counter: u16,
}

/// Identifiers per millisecond at most; more of them borrow from the next one.
const COUNTER_MAX: u16 = 0xfff;

impl IdSource {
    /// A source that stamps identifiers with `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State { random: [0; 2560], used: 2560, millis: 0, counter: 0 };
        Self { clock, state: Mutex::new(state) }
    }

    /// A new identifier of the kind that `make` makes.
    pub fn next<T>(&self, make: impl Fn(Timestamp, [u8; 10]) -> T) -> T {
        let now = self.clock.now().as_millis();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut random = state.draw();
        state.advance(now, u16::from(random[0]));
        random[..2].copy_from_slice(&state.counter.to_be_bytes());
        make(Timestamp::from_millis(state.millis), random)
    }
}

impl State {
    /// Moves on to the next pair of millisecond and counter. `start` is where a new millisecond begins to count.
    fn advance(&mut self, now: i64, start: u16) {
        if now > self.millis {
            (self.millis, self.counter) = (now, start);
        } else if self.counter < COUNTER_MAX {
            self.counter += 1;
        } else {
            (self.millis, self.counter) = (self.millis + 1, start);
        }
    }

    fn draw(&mut self) -> [u8; 10] {
        if self.used == self.random.len() {
            getrandom::fill(&mut self.random).expect("the operating system gives random bytes");
            self.used = 0;
        }
        let mut taken = [0; 10];
        taken.copy_from_slice(&self.random[self.used..self.used + 10]);
        self.used += 10;
        taken
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_model::clock::ManualClock;
    use innkeeper_model::id::RunId;

    use super::*;

    #[test]
    fn identifiers_are_in_the_order_of_their_making_whatever_the_clock_does() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
        let ids = IdSource::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let mut made: Vec<RunId> = (0..10_000).map(|_| ids.next(RunId::new)).collect();
        clock.set(Timestamp::from_millis(500));
        made.push(ids.next(RunId::new));
        clock.set(Timestamp::from_millis(2_000));
        made.push(ids.next(RunId::new));
        assert!(made.is_sorted_by(|early, late| early < late));
        let text: Vec<_> = made.iter().map(ToString::to_string).collect();
        assert!(text.is_sorted(), "also as text");
    }
}
