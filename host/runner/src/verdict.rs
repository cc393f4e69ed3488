//! What becomes of a run after its execution: pure.

use innkeeper_model::execution::{Failure, FailureKind};
use innkeeper_model::retry::{self, RetryDecision};
use innkeeper_model::run::{CONFLICTS_MAX, REQUEUES_MAX};
use innkeeper_model::time::Timestamp;
use innkeeper_store::{Claimed, RunEnding};

/// Decides what becomes of the run of `claimed`, whose execution failed at `now`. A shutdown puts it back without using
/// up an attempt, and so does a conflict, at once: the handler did nothing wrong. Both do so a bounded number of times;
/// everything else is the retry policy's.
pub(crate) fn after_failure(claimed: &Claimed, failure: &Failure, now: Timestamp) -> RunEnding {
    if failure.kind == FailureKind::Interrupted && claimed.requeues < REQUEUES_MAX {
        return RunEnding::PutBack;
    }
    if failure.kind == FailureKind::Conflict && claimed.conflicts < CONFLICTS_MAX {
        return RunEnding::AfterConflict;
    }
    let first = claimed.first_started_at;
    match retry::decide(&claimed.retry, &claimed.run_id, claimed.attempt, failure, first, now) {
        RetryDecision::At(at) => RunEnding::Retry(at),
        RetryDecision::End => RunEnding::End,
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_model::id::{Digest, ExecutionId, RunId, TenantId};
    use innkeeper_model::limits::LimitWishes;
    use innkeeper_model::retry::RetryPolicy;
    use innkeeper_model::run::TriggerKind;

    use super::*;

    fn claimed(requeues: u32, max_attempts: u32) -> Claimed {
        let now = Timestamp::from_millis(1_000);
        Claimed {
            tenant: TenantId::default_tenant(),
            task_id: "task".parse().expect("an id"),
            run_id: RunId::new(now, [0; 10]),
            execution_id: ExecutionId::new(now, [0; 10]),
            trigger: TriggerKind::Schedule,
            event: None,
            data: None,
            scheduled_at: None,
            ready_at: now,
            attempt: 1,
            started_at: now,
            first_started_at: now,
            has_started: false,
            requeues,
            conflicts: 0,
            hops: 0,
            plugin: "plugin".parse().expect("a name"),
            digest: Digest::of(b""),
            metadata: None,
            retry: RetryPolicy { max_attempts, ..RetryPolicy::ONCE },
            limits: LimitWishes::default(),
            is_one_off: false,
            on_failure: None,
            trace: None,
            replay_of: None,
            rate_left: None,
        }
    }

    fn decided(requeues: u32, max_attempts: u32, kind: FailureKind) -> RunEnding {
        after_failure(
            &claimed(requeues, max_attempts),
            &Failure::new(kind, "no"),
            Timestamp::from_millis(2_000),
        )
    }

    #[test]
    fn a_shutdown_puts_a_run_back_five_times() {
        assert_eq!(decided(0, 1, FailureKind::Interrupted), RunEnding::PutBack);
        assert_eq!(decided(4, 1, FailureKind::Interrupted), RunEnding::PutBack);
        assert_eq!(decided(5, 1, FailureKind::Interrupted), RunEnding::End);
    }

    #[test]
    fn a_conflict_uses_up_no_attempt_ten_times() {
        let now = Timestamp::from_millis(2_000);
        let conflict = Failure::new(FailureKind::Conflict, "no");
        let decided = |conflicts, max_attempts| {
            after_failure(&Claimed { conflicts, ..claimed(0, max_attempts) }, &conflict, now)
        };
        assert_eq!((decided(0, 1), decided(9, 1)), (RunEnding::AfterConflict, RunEnding::AfterConflict));
        assert_eq!((decided(10, 1), decided(10, 2)), (RunEnding::End, RunEnding::Retry(now)));
    }

    #[test]
    fn limits_count_as_failures_for_the_retry_policy() {
        for kind in [FailureKind::Timeout, FailureKind::FuelExhausted, FailureKind::Trap] {
            assert_eq!(decided(0, 2, kind), RunEnding::Retry(Timestamp::from_millis(2_000)));
            assert_eq!(decided(0, 1, kind), RunEnding::End);
        }
        assert_eq!(decided(0, 9, FailureKind::Cancelled), RunEnding::End);
    }
}
