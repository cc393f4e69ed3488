//! Where new identifiers come from.

use std::sync::{Arc, Mutex, PoisonError};

use innkeeper_model::clock::Clock;
use innkeeper_model::time::Timestamp;

/// Gives out the random part of identifiers: the operating system's randomness, drawn in blocks.
pub struct IdSource {
    clock: Arc<dyn Clock>,
    pool: Mutex<Pool>,
}

struct Pool {
    bytes: [u8; 2560],
    used: usize,
}

impl IdSource {
    /// A source that stamps identifiers with `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, pool: Mutex::new(Pool { bytes: [0; 2560], used: 2560 }) }
    }

    /// A new identifier of the kind that `make` makes.
    pub fn next<T>(&self, make: impl Fn(Timestamp, [u8; 10]) -> T) -> T {
        make(self.clock.now(), self.random())
    }

    fn random(&self) -> [u8; 10] {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.used == pool.bytes.len() {
            getrandom::fill(&mut pool.bytes).expect("the operating system gives random bytes");
            pool.used = 0;
        }
        let mut taken = [0; 10];
        taken.copy_from_slice(&pool.bytes[pool.used..pool.used + 10]);
        pool.used += 10;
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use innkeeper_model::clock::ManualClock;
    use innkeeper_model::id::RunId;

    use super::*;

    #[test]
    fn identifiers_never_repeat() {
        let ids = IdSource::new(Arc::new(ManualClock::default()));
        let made: HashSet<_> = (0..10_000).map(|_| ids.next(RunId::new)).collect();
        assert_eq!(made.len(), 10_000);
    }
}
