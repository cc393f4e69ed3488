//! Waiting for a state.

use std::time::{Duration, Instant};

/// How long a state may take to come about on a slow machine, before a story fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until `state` is there, and gives it back.
///
/// # Panics
/// If it does not come about in time; says what was waited for.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where stories wait, with a time-out, for a state"
)]
pub fn eventually<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(state) = state() {
            return state;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
