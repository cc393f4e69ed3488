//! What one execution may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of one execution, each as it is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fuel: about one unit per WebAssembly instruction. Breach: `fuel_exhausted`.
    pub fuel: u64,
    /// Wall time from instantiation to the end of post-return. Breach: `timeout`.
    pub timeout: Duration,
    /// Bytes over all linear memories and tables together. Breach: `memory_exceeded`.
    pub memory_bytes: u64,
    /// Bytes of the handler's result. Breach: `output_exceeded`.
    pub output_bytes: u64,
    /// Bytes of log text kept; what comes after is counted, not kept.
    pub log_bytes: u64,
    /// Calls from the guest into the host. Breach: `host_call_limit`.
    pub host_calls: u64,
    /// Events published by one execution. A breach is an error the guest sees.
    pub events: u32,
}

impl Limits {
    /// The limits a host starts with.
    pub const DEFAULT: Self = Self {
        fuel: 1_000_000_000,
        timeout: Duration::from_secs(30),
        memory_bytes: 64 << 20,
        output_bytes: 64 << 10,
        log_bytes: 64 << 10,
        host_calls: 100_000,
        events: 100,
    };

    /// These limits, narrowed by what a task asks for. A wish above the cap is the cap.
    #[must_use]
    pub fn narrowed(mut self, wish: &LimitWishes) -> Self {
        self.fuel = wish.fuel.map_or(self.fuel, |fuel| fuel.min(self.fuel));
        self.timeout = wish.timeout.map_or(self.timeout, |timeout| timeout.min(self.timeout));
        self.memory_bytes = wish.memory_bytes.map_or(self.memory_bytes, |bytes| bytes.min(self.memory_bytes));
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The limits a task asks for; `None` means the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitWishes {
    /// Fuel units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Wall time.
    #[serde(
        with = "crate::time::millis_option",
        rename = "timeoutMs",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub timeout: Option<Duration>,
    /// Bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_limit_wins() {
        let wish = LimitWishes { fuel: Some(5), timeout: Some(Duration::from_hours(1)), memory_bytes: None };
        let limits = Limits::DEFAULT.narrowed(&wish);
        assert_eq!(limits.fuel, 5);
        assert_eq!(limits.timeout, Limits::DEFAULT.timeout);
        assert_eq!(limits.memory_bytes, Limits::DEFAULT.memory_bytes);
    }
}
