//! What happens when a task is to run while an earlier run of it is in progress: pure.
//!
//! A run is in progress from its first execution to its end: a run that waits for its retry still counts.

use crate::task::Overlap;

/// What becomes of a new due time or event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRecord {
    /// It becomes a run.
    Record,
    /// It is skipped.
    Skip,
    /// It becomes a run, and those that wait are skipped in its favour.
    ReplaceWaiting,
    /// It becomes a run; those that wait are skipped, and those that have started are cancelled.
    CancelPrevious,
}

/// Decides when a due time or an event is recorded; a task is busy while it has a run, started or not.
#[must_use]
pub fn on_record(policy: Overlap, is_busy: bool) -> OnRecord {
    match policy {
        _ if !is_busy => OnRecord::Record,
        Overlap::Allow => OnRecord::Record,
        Overlap::Skip => OnRecord::Skip,
        Overlap::Queue => OnRecord::ReplaceWaiting,
        Overlap::CancelPrevious => OnRecord::CancelPrevious,
    }
}

/// Whether a waiting run may start, given whether it has started before, how many others of its task have started and not
/// ended, and how many executions of the task are running. Of two runs that have both started, as when the policy became
/// stricter meanwhile, neither waits for the other's retry.
#[must_use]
pub fn may_start(
    policy: Overlap,
    concurrency: Option<u32>,
    has_started: bool,
    started_others: u32,
    running: u32,
) -> bool {
    let others = if has_started { running } else { started_others };
    let alone = policy == Overlap::Allow || others == 0;
    alone && concurrency.is_none_or(|most| running < most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_task_always_records() {
        for policy in Overlap::ALL {
            assert_eq!(on_record(policy, false), OnRecord::Record);
        }
    }

    #[test]
    fn each_policy_has_its_own_way_with_a_busy_task() {
        assert_eq!(on_record(Overlap::Allow, true), OnRecord::Record);
        assert_eq!(on_record(Overlap::Skip, true), OnRecord::Skip);
        assert_eq!(on_record(Overlap::Queue, true), OnRecord::ReplaceWaiting);
        assert_eq!(on_record(Overlap::CancelPrevious, true), OnRecord::CancelPrevious);
    }

    #[test]
    fn only_allow_lets_runs_of_one_task_overlap() {
        assert!(may_start(Overlap::Allow, None, false, 3, 3));
        assert!(!may_start(Overlap::Allow, Some(3), false, 3, 3));
        assert!(may_start(Overlap::Allow, Some(4), false, 3, 3));
        for policy in [Overlap::Skip, Overlap::Queue, Overlap::CancelPrevious] {
            assert!(may_start(policy, None, false, 0, 0));
            assert!(!may_start(policy, None, false, 1, 0), "a run that waits for its retry counts");
            assert!(may_start(policy, None, true, 1, 0), "but not for one that waits for its own");
            assert!(!may_start(policy, None, true, 1, 1));
        }
    }
}
