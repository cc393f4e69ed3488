//! Whether and when a failed run is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::execution::Failure;
use crate::id::RunId;
use crate::time::Timestamp;

/// The longest delay that a handler may ask for: it is a guest's number, and must not put a run off for ever.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// How the delay grows from attempt to attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// The same delay every time.
    #[default]
    Fixed,
    /// Twice the delay before.
    Exponential,
}

/// How often and when a failed run is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least 1.
    pub max_attempts: u32,
    /// The delay before the second attempt.
    #[serde(with = "crate::time::millis", rename = "delayMs")]
    pub delay: Duration,
    /// How the delay grows.
    pub backoff: Backoff,
    /// The longest delay; `None` means no bound.
    #[serde(
        with = "crate::time::millis_option",
        rename = "maxDelayMs",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub max_delay: Option<Duration>,
    /// The window for all attempts, from the start of the first; `None` means no bound.
    #[serde(
        with = "crate::time::millis_option",
        rename = "maxRetryDurationMs",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub max_retry_duration: Option<Duration>,
    /// The share of the delay, 0 to 1, that chance may take off.
    pub jitter: f64,
}

impl RetryPolicy {
    /// One attempt: what a task without a policy has.
    pub const ONCE: Self = Self {
        max_attempts: 1,
        delay: Duration::ZERO,
        backoff: Backoff::Fixed,
        max_delay: None,
        max_retry_duration: None,
        jitter: 0.0,
    };
}

/// What happens to a run after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// It is tried again, not before this instant.
    At(Timestamp),
    /// It ends as failed.
    End,
}

/// Decides what follows the failed `attempt` (from 1) of the run that first started at `first_started_at`.
///
/// The delay before attempt n + 1 is `delay` (fixed) or `delay * 2^(n-1)` (exponential), at most `max_delay`, less
/// jitter, and at least what the handler asked for, up to [`RETRY_AFTER_MAX`]. A delay that would pass `max_retry_duration` ends the run now.
#[must_use]
pub fn decide(
    policy: &RetryPolicy,
    run: &RunId,
    attempt: u32,
    failure: &Failure,
    first_started_at: Timestamp,
    now: Timestamp,
) -> RetryDecision {
    if failure.kind.ends_run() || attempt >= policy.max_attempts {
        return RetryDecision::End;
    }
    let asked = failure.retry_after.unwrap_or(Duration::ZERO).min(RETRY_AFTER_MAX);
    let delay = backoff_delay(policy, run, attempt).max(asked);
    let at = now.saturating_add(delay);
    let window_ends = policy.max_retry_duration.map(|window| first_started_at.saturating_add(window));
    match window_ends {
        Some(end) if at > end => RetryDecision::End,
        _ => RetryDecision::At(at),
    }
}

fn backoff_delay(policy: &RetryPolicy, run: &RunId, attempt: u32) -> Duration {
    let factor = match policy.backoff {
        Backoff::Fixed => 1,
        Backoff::Exponential => 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX),
    };
    let delay = policy.delay.saturating_mul(factor).min(policy.max_delay.unwrap_or(Duration::MAX));
    let taken = policy.jitter.clamp(0.0, 1.0) * chance(run, attempt);
    Duration::try_from_secs_f64(delay.as_secs_f64() * (1.0 - taken)).unwrap_or(delay).min(delay)
}

/// A number in [0, 1) that follows from the run and the attempt alone, so that a delay can be predicted: the
/// `SplitMix64` finalizer (Steele, Lea, Flood 2014) over the run's random bits and the attempt.
fn chance(run: &RunId, attempt: u32) -> f64 {
    let (_, low) = run.as_uuid().as_u64_pair();
    let mut mixed = low.wrapping_add(u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let high_half = u32::try_from(mixed >> 32).unwrap_or(0);
    f64::from(high_half) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::execution::FailureKind;

    const START: Timestamp = Timestamp::MIN;

    fn run() -> RunId {
        RunId::new(Timestamp::from_millis(1), [7; 10])
    }

    fn failure(kind: FailureKind) -> Failure {
        Failure::new(kind, "no")
    }

    fn policy(max_attempts: u32, delay_s: u64, backoff: Backoff) -> RetryPolicy {
        RetryPolicy { max_attempts, delay: Duration::from_secs(delay_s), backoff, ..RetryPolicy::ONCE }
    }

    fn after(policy: &RetryPolicy, attempt: u32, failure: &Failure) -> RetryDecision {
        decide(policy, &run(), attempt, failure, START, START)
    }

    fn at_seconds(seconds: u64) -> RetryDecision {
        RetryDecision::At(START.saturating_add(Duration::from_secs(seconds)))
    }

    #[test]
    fn a_fixed_delay_stays_and_an_exponential_one_doubles() {
        let trap = failure(FailureKind::Trap);
        let fixed = policy(4, 10, Backoff::Fixed);
        let doubling = policy(4, 10, Backoff::Exponential);
        assert_eq!(
            (1..=4).map(|n| after(&fixed, n, &trap)).collect::<Vec<_>>(),
            [at_seconds(10), at_seconds(10), at_seconds(10), RetryDecision::End]
        );
        assert_eq!(
            (1..=4).map(|n| after(&doubling, n, &trap)).collect::<Vec<_>>(),
            [at_seconds(10), at_seconds(20), at_seconds(40), RetryDecision::End]
        );
    }

    #[test]
    fn permanent_and_cancelled_end_the_run() {
        for kind in [FailureKind::Permanent, FailureKind::Cancelled] {
            assert_eq!(after(&policy(9, 0, Backoff::Fixed), 1, &failure(kind)), RetryDecision::End);
        }
    }

    #[test]
    fn a_delay_past_the_window_ends_the_run_at_once() {
        let window = Some(Duration::from_secs(10));
        let policy = RetryPolicy { max_retry_duration: window, ..policy(9, 10, Backoff::Exponential) };
        assert_eq!(after(&policy, 1, &failure(FailureKind::Timeout)), at_seconds(10));
        assert_eq!(after(&policy, 2, &failure(FailureKind::Timeout)), RetryDecision::End);
    }

    #[test]
    fn the_handler_may_ask_for_more_delay_but_not_for_less() {
        let mut asked = failure(FailureKind::HandlerError);
        asked.retry_after = Some(Duration::from_mins(1));
        assert_eq!(after(&policy(2, 10, Backoff::Fixed), 1, &asked), at_seconds(60));
        asked.retry_after = Some(Duration::MAX);
        assert_eq!(after(&policy(2, 10, Backoff::Fixed), 1, &asked), at_seconds(24 * 60 * 60));
        asked.retry_after = Some(Duration::from_secs(1));
        assert_eq!(after(&policy(2, 10, Backoff::Fixed), 1, &asked), at_seconds(10));
    }

    proptest! {
        #[test]
        fn delays_saturate_and_jitter_only_shortens(
            attempt in 1_u32..u32::MAX - 1,
            delay_ms in 0_u64..u64::MAX / 2,
            max_delay_ms in proptest::option::of(0_u64..u64::MAX / 2),
            jitter in 0.0_f64..=1.0,
            random in any::<[u8; 10]>(),
        ) {
            let max_delay = max_delay_ms.map(Duration::from_millis);
            let base = RetryPolicy {
                max_attempts: u32::MAX,
                delay: Duration::from_millis(delay_ms),
                backoff: Backoff::Exponential,
                max_delay,
                ..RetryPolicy::ONCE
            };
            let run = RunId::new(Timestamp::from_millis(1), random);
            let plain = backoff_delay(&base, &run, attempt);
            let shortened = backoff_delay(&RetryPolicy { jitter, ..base }, &run, attempt);
            prop_assert!(shortened <= plain);
            prop_assert!(shortened.as_secs_f64() >= plain.as_secs_f64() * (1.0 - jitter) * 0.999_999);
            prop_assert!(max_delay.is_none_or(|bound| plain <= bound));
            prop_assert!(plain >= base.delay.min(max_delay.unwrap_or(Duration::MAX)).mul_f64(0.999_999));
        }
    }
}
