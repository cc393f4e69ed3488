//! Whether a task's rate limit lets another execution start: pure.
//!
//! An execution started at `s` is in the window of `now` if `s` is after `now - interval`. So with a limit of one per
//! minute, executions may start at 12:00:00.000 and at 12:01:00.000, and not a millisecond earlier.

use crate::task::{RateLimit, RateStrategy};
use crate::time::Timestamp;

/// What is known of a task's earlier executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateState {
    /// Executions in the current window, as counted when the latest of them started.
    pub count: u32,
    /// Start of the current window; `None` before the first execution.
    pub window: Option<Timestamp>,
    /// For a sliding window: when the `limit`-th latest execution started; `None` if there are fewer.
    pub limiting: Option<Timestamp>,
}

/// What the limit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateDecision {
    /// The execution may start; this is the window with it.
    Start {
        /// Executions in the window, this one included.
        count: u32,
        /// The window's start.
        window: Timestamp,
    },
    /// It may not start before this instant.
    Hold(Timestamp),
}

/// Decides about an execution that would start at `now`. `in_window` is how many executions started within the
/// interval before `now`; only a sliding window needs it.
#[must_use]
pub fn decide(limit: &RateLimit, state: &RateState, in_window: u32, now: Timestamp) -> RateDecision {
    match limit.strategy {
        RateStrategy::Fixed => decide_fixed(limit, state, now),
        // A start in the future is from before the clock went back; it must not hold the task for as long.
        RateStrategy::Sliding => match state
            .limiting
            .filter(|start| *start <= now)
            .map(|start| start.saturating_add(limit.interval))
        {
            Some(free) if free > now => RateDecision::Hold(free),
            _ => RateDecision::Start {
                count: in_window.saturating_add(1),
                window: now.saturating_sub(limit.interval),
            },
        },
    }
}

/// A window starts with the first execution after the one before it ended.
fn decide_fixed(limit: &RateLimit, state: &RateState, now: Timestamp) -> RateDecision {
    // A clock that went back behind the window's start starts a new one, lest the task be held for as long.
    let current = state.window.filter(|start| *start <= now && start.saturating_add(limit.interval) > now);
    match current {
        None => RateDecision::Start { count: 1, window: now },
        Some(window) if state.count < limit.limit => RateDecision::Start { count: state.count + 1, window },
        Some(window) => RateDecision::Hold(window.saturating_add(limit.interval)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::task::RateOverflow;

    fn limit(strategy: RateStrategy, interval_ms: u64, limit: u32) -> RateLimit {
        let interval = Duration::from_millis(interval_ms);
        RateLimit { interval, limit, strategy, overflow: RateOverflow::Delay }
    }

    /// Plays executions that ask to start at `times` against the decision, as a store would keep its state.
    fn play(limit: &RateLimit, times: &[i64]) -> Vec<(i64, RateDecision)> {
        let mut state = RateState::default();
        let mut starts: Vec<Timestamp> = Vec::new();
        let mut decisions = Vec::new();
        for time in times {
            let now = Timestamp::from_millis(*time);
            let nth = usize::try_from(limit.limit).expect("a small number");
            state.limiting = starts.len().checked_sub(nth).map(|at| starts[at]);
            let from = now.saturating_sub(limit.interval);
            let in_window = u32::try_from(starts.iter().filter(|start| **start > from).count()).expect("few");
            let decision = decide(limit, &state, in_window, now);
            if let RateDecision::Start { count, window } = decision {
                (state.count, state.window) = (count, Some(window));
                starts.push(now);
            }
            decisions.push((*time, decision));
        }
        decisions
    }

    fn started(decisions: &[(i64, RateDecision)]) -> Vec<i64> {
        let started = decisions.iter().filter(|(_, decision)| matches!(decision, RateDecision::Start { .. }));
        started.map(|(time, _)| *time).collect()
    }

    #[test]
    fn a_fixed_window_is_exact_at_its_edges() {
        let decisions = play(&limit(RateStrategy::Fixed, 100, 2), &[0, 50, 99, 100, 101, 199, 200]);
        assert_eq!(started(&decisions), [0, 50, 100, 101, 200]);
        assert_eq!(decisions[2].1, RateDecision::Hold(Timestamp::from_millis(100)));
    }

    #[test]
    fn a_sliding_window_is_exact_at_its_edges() {
        let decisions = play(&limit(RateStrategy::Sliding, 100, 2), &[0, 50, 99, 100, 149, 150]);
        assert_eq!(started(&decisions), [0, 50, 100, 150]);
        assert_eq!(decisions[2].1, RateDecision::Hold(Timestamp::from_millis(100)));
        assert_eq!(decisions[4].1, RateDecision::Hold(Timestamp::from_millis(150)));
    }

    #[test]
    fn a_clock_that_went_back_does_not_hold_a_task_for_ever() {
        let state = RateState { count: 1, window: Some(Timestamp::from_millis(1_000_000)), limiting: None };
        let decision = decide(&limit(RateStrategy::Fixed, 100, 1), &state, 0, Timestamp::from_millis(5));
        assert_eq!(decision, RateDecision::Start { count: 1, window: Timestamp::from_millis(5) });
        let state = RateState { limiting: Some(Timestamp::from_millis(1_000_000)), ..state };
        let decision = decide(&limit(RateStrategy::Sliding, 100, 1), &state, 0, Timestamp::from_millis(5));
        assert!(matches!(decision, RateDecision::Start { .. }));
    }

    proptest! {
        #[test]
        fn no_sliding_window_ever_holds_more_than_the_limit_and_none_starts_late(
            interval in 1_u64..60, most in 1_u32..5, gaps in prop::collection::vec(0_i64..20, 1..60),
        ) {
            let times: Vec<i64> = gaps.iter().scan(0, |time, gap| { *time += gap; Some(*time) }).collect();
            let decisions = play(&limit(RateStrategy::Sliding, interval, most), &times);
            let starts = started(&decisions);
            let span = i64::try_from(interval).expect("small");
            for (index, (time, decision)) in decisions.iter().enumerate() {
                let earlier = decisions[..index].iter();
                let count = earlier.filter(|(at, held)| {
                    matches!(held, RateDecision::Start { .. }) && *at > time - span
                }).count();
                let allowed = u32::try_from(count).expect("few") < most;
                prop_assert_eq!(allowed, matches!(decision, RateDecision::Start { .. }), "at {} of {:?}", time, &starts);
                if let RateDecision::Hold(until) = decision {
                    prop_assert!(until.as_millis() > *time && until.as_millis() <= time + span);
                }
            }
        }

        #[test]
        fn fixed_windows_follow_one_another_with_at_most_the_limit_each(
            interval in 1_u64..60, most in 1_u32..5, gaps in prop::collection::vec(0_i64..20, 1..60),
        ) {
            let times: Vec<i64> = gaps.iter().scan(0, |time, gap| { *time += gap; Some(*time) }).collect();
            let span = i64::try_from(interval).expect("small");
            // The rule as it reads: remember where the window began and how many it has had.
            let (mut window, mut had) = (None, 0);
            for (time, decision) in play(&limit(RateStrategy::Fixed, interval, most), &times) {
                if window.is_none_or(|start| time >= start + span) {
                    (window, had) = (Some(time), 0);
                }
                let allowed = had < most;
                had += u32::from(allowed);
                prop_assert_eq!(allowed, matches!(decision, RateDecision::Start { .. }));
            }
        }
    }
}
