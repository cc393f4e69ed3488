//! What an execution has used of the things that its own instructions do not measure, and what it was refused.

use innkeeper_model::execution::{Failure, FailureKind};

/// Counters of one execution.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Bytes of keys and values read and written.
    pub(crate) key_value_bytes: u64,
    /// Outgoing HTTP requests.
    pub(crate) egress_requests: u64,
    /// Bytes of outgoing HTTP requests and their answers.
    pub(crate) egress_bytes: u64,
    breach: Option<Failure>,
}

impl Usage {
    /// Notes that something beyond a limit was refused. A guest that copes with that may succeed; one that fails afterwards
    /// fails for this reason. The first breach counts.
    pub(crate) fn refuse(&mut self, kind: FailureKind, message: impl Into<String>) {
        self.breach.get_or_insert_with(|| Failure::new(kind, message));
    }

    /// The first breach.
    pub(crate) fn breach(&self) -> Option<&Failure> {
        self.breach.as_ref()
    }
}

/// Adds `amount` to a counter and says whether it is still within `limit`. What is refused is not counted.
pub(crate) fn take(counter: &mut u64, amount: u64, limit: u64) -> bool {
    let total = counter.saturating_add(amount);
    if total > limit {
        return false;
    }
    *counter = total;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_met_exactly() {
        let mut used = 0;
        assert!(take(&mut used, 10, 10));
        assert!(!take(&mut used, 1, 10));
        assert!(take(&mut used, 0, 10));
        assert!(!take(&mut used, u64::MAX, 10));
        assert_eq!(used, 10);
    }

    #[test]
    fn the_first_breach_counts() {
        let mut usage = Usage::default();
        usage.refuse(FailureKind::EventLimit, "first");
        usage.refuse(FailureKind::EgressLimit, "second");
        assert_eq!(usage.breach().map(|failure| failure.message.as_str()), Some("first"));
    }
}
