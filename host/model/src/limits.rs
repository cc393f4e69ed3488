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
    /// Events published by one execution. Breach: an error for the guest, and `event_limit` if it fails then.
    pub events: u64,
    /// Bytes of keys and values read from and written to the key-value store. Breach: an error for the guest, and
    /// `key_value_limit` if it fails then.
    pub key_value_bytes: u64,
    /// Outgoing HTTP requests. Breach: an error for the guest, and `egress_limit` if it fails then.
    pub egress_requests: u64,
    /// Bytes of outgoing HTTP requests and their answers, heads included. Breach: as that of `egress_requests`.
    pub egress_bytes: u64,
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
        key_value_bytes: 4 << 20,
        egress_requests: 20,
        egress_bytes: 8 << 20,
    };

    /// These limits, narrowed by somebody's wishes. A wish above the cap is the cap, so the narrowest of several wins in
    /// whatever order they come.
    #[must_use]
    pub fn narrowed(self, wish: &LimitWishes) -> Self {
        let least = |cap: u64, wish: Option<u64>| wish.map_or(cap, |wish| wish.min(cap));
        Self {
            fuel: least(self.fuel, wish.fuel),
            timeout: wish.timeout.map_or(self.timeout, |timeout| timeout.min(self.timeout)),
            memory_bytes: least(self.memory_bytes, wish.memory_bytes),
            output_bytes: least(self.output_bytes, wish.output_bytes),
            log_bytes: least(self.log_bytes, wish.log_bytes),
            host_calls: least(self.host_calls, wish.host_calls),
            events: least(self.events, wish.events),
            key_value_bytes: least(self.key_value_bytes, wish.key_value_bytes),
            egress_requests: least(self.egress_requests, wish.egress_requests),
            egress_bytes: least(self.egress_bytes, wish.egress_bytes),
        }
    }

    /// These limits, with those that are set in their place: wider ones, too.
    #[must_use]
    pub fn overridden(self, set: &LimitWishes) -> Self {
        Self {
            fuel: set.fuel.unwrap_or(self.fuel),
            timeout: set.timeout.unwrap_or(self.timeout),
            memory_bytes: set.memory_bytes.unwrap_or(self.memory_bytes),
            output_bytes: set.output_bytes.unwrap_or(self.output_bytes),
            log_bytes: set.log_bytes.unwrap_or(self.log_bytes),
            host_calls: set.host_calls.unwrap_or(self.host_calls),
            events: set.events.unwrap_or(self.events),
            key_value_bytes: set.key_value_bytes.unwrap_or(self.key_value_bytes),
            egress_requests: set.egress_requests.unwrap_or(self.egress_requests),
            egress_bytes: set.egress_bytes.unwrap_or(self.egress_bytes),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The limits that a tenant, a plugin or a task asks for; `None` means whatever else holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitWishes {
    /// Fuel units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Wall time.
    #[serde(
        with = "crate::time::millis_option",
        rename = "timeoutMs",
        skip_serializing_if = "Option::is_none"
    )]
    pub timeout: Option<Duration>,
    /// Bytes of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes of the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Bytes of log text kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
    /// Calls into the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_calls: Option<u64>,
    /// Events published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// Bytes of keys and values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_value_bytes: Option<u64>,
    /// Outgoing requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress_requests: Option<u64>,
    /// Bytes of outgoing requests and their answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_limit_wins_in_any_order() {
        let task =
            LimitWishes { fuel: Some(5), timeout: Some(Duration::from_hours(1)), ..Default::default() };
        let plugin = LimitWishes { fuel: Some(7), egress_bytes: Some(9), ..Default::default() };
        let limits = Limits::DEFAULT.narrowed(&task).narrowed(&plugin);
        assert_eq!(limits, Limits::DEFAULT.narrowed(&plugin).narrowed(&task));
        assert_eq!(limits, Limits { fuel: 5, egress_bytes: 9, ..Limits::DEFAULT });
    }

    #[test]
    fn only_what_is_wished_for_is_stored() {
        let wish = LimitWishes { timeout: Some(Duration::from_millis(5)), ..Default::default() };
        let text = serde_json::to_string(&wish).expect("JSON");
        assert_eq!(text, r#"{"timeoutMs":5}"#);
        assert_eq!(serde_json::from_str::<LimitWishes>(&text).expect("wishes"), wish);
    }
}
