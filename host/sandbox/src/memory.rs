//! How much memory one execution holds.

use wasmtime::{ResourceLimiter, Result};

/// Bytes of one table element in the host.
const ELEMENT_BYTES: u64 = size_of::<usize>() as u64;

/// Counts all linear memories and tables of one store together, and remembers that it said no: a guest that is denied
/// memory usually ends in a trap that says nothing about memory.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    limit_bytes: u64,
    held_bytes: u64,
    peak_bytes: u64,
    granted_last: u64,
    denied_bytes: Option<u64>,
}

impl MemoryLimiter {
    /// Allows `limit_bytes` in total.
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, held_bytes: 0, peak_bytes: 0, granted_last: 0, denied_bytes: None }
    }

    /// The most that was held at once.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// The limit.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// The total that was last asked for and denied, if any was.
    pub(crate) fn denied_bytes(&self) -> Option<u64> {
        self.denied_bytes
    }

    fn grow(&mut self, current: u64, desired: u64, maximum: Option<u64>) -> bool {
        let more = desired.saturating_sub(current);
        let total = self.held_bytes.saturating_add(more);
        if total > self.limit_bytes {
            self.denied_bytes = Some(total);
            return false;
        }
        // The guest's own maximum: no limit of ours.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return false;
        }
        self.granted_last = more;
        self.held_bytes = total;
        self.peak_bytes = self.peak_bytes.max(total);
        true
    }

    /// The growth that was just granted did not happen: the machine has no more.
    fn take_back(&mut self) {
        self.denied_bytes = Some(self.held_bytes);
        self.held_bytes = self.held_bytes.saturating_sub(std::mem::take(&mut self.granted_last));
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        Ok(self.grow(current as u64, desired as u64, maximum.map(|bytes| bytes as u64)))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.take_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let bytes = |elements: usize| (elements as u64).saturating_mul(ELEMENT_BYTES);
        Ok(self.grow(bytes(current), bytes(desired), maximum.map(bytes)))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.take_back();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_count_together() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(limiter.grow(0, 60, None));
        assert!(limiter.table_growing(0, 5, None).is_ok_and(|granted| granted));
        assert_eq!(limiter.denied_bytes(), None);
        assert!(!limiter.grow(60, 61, None), "60 + 40 bytes are held already");
        assert_eq!(limiter.denied_bytes(), Some(101));
        assert_eq!(limiter.peak_bytes(), 100);
    }

    #[test]
    fn the_guests_own_maximum_is_no_breach() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(!limiter.grow(0, 60, Some(50)));
        assert_eq!(limiter.denied_bytes(), None);
        assert_eq!(limiter.peak_bytes(), 0);
    }

    #[test]
    fn a_growth_that_failed_is_not_held() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(limiter.grow(0, 60, None));
        limiter.take_back();
        assert!(limiter.denied_bytes().is_some());
        assert!(limiter.grow(0, 100, None));
    }
}
