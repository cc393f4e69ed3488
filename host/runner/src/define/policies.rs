//! Checking a task's policies: retries, rate limit, limits.

use std::time::Duration;

use innkeeper_model::alert::Alerts;
use innkeeper_model::limits::LimitWishes;
use innkeeper_model::problem::{FieldError, nearest};
use innkeeper_model::retry::{Backoff, RetryPolicy};
use innkeeper_model::task::{RateLimit, RateOverflow, RateStrategy};
use innkeeper_model::task_config::{LimitsConfig, RateLimitConfig, RetryPolicyConfig};
use innkeeper_schedule::duration::{format_duration, parse_duration};

use super::Checker;

/// Attempts of one run at most.
const ATTEMPTS_MAX: u32 = 1000;

/// The shortest time within which a success can be expected.
const EXPECT_MIN: Duration = Duration::from_secs(1);

/// Executions per interval at most.
const RATE_LIMIT_MAX: u32 = 1_000_000;
/// The same for a sliding window, which looks back over as many rows at every start.
const SLIDING_LIMIT_MAX: u32 = 10_000;

impl Checker {
    pub(super) fn duration(&mut self, field: &str, text: &str) -> Option<Duration> {
        self.keep(field, "invalid_duration", parse_duration(text))
    }

    fn duration_option(&mut self, field: &str, text: Option<&String>) -> Option<Duration> {
        text.and_then(|text| self.duration(field, text))
    }

    pub(super) fn retry(&mut self, policy: &RetryPolicyConfig) -> RetryPolicy {
        if !(1..=ATTEMPTS_MAX).contains(&policy.max_attempts) {
            let message = format!("is {}; must be 1 to {ATTEMPTS_MAX}", policy.max_attempts);
            self.problem("retryPolicy.maxAttempts", "out_of_range", message);
        }
        let jitter = policy.jitter.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&jitter) {
            self.problem("retryPolicy.jitter", "out_of_range", format!("is {jitter}; must be 0 to 1"));
        }
        let delay = self.duration_option("retryPolicy.delay", policy.delay.as_ref());
        RetryPolicy {
            max_attempts: policy.max_attempts,
            delay: delay.unwrap_or(Duration::ZERO),
            backoff: self.backoff(policy.backoff.as_deref()),
            max_delay: self.duration_option("retryPolicy.maxDelay", policy.max_delay.as_ref()),
            max_retry_duration: self
                .duration_option("retryPolicy.maxRetryDuration", policy.max_retry_duration.as_ref()),
            jitter,
        }
    }

    fn backoff(&mut self, text: Option<&str>) -> Backoff {
        let name = |backoff| if backoff == Backoff::Fixed { "fixed" } else { "exponential" };
        let all = [Backoff::Fixed, Backoff::Exponential];
        self.choice("retryPolicy.backoff", text, all, name).unwrap_or_default()
    }

    /// The value of an enumeration that is written as `text`; `None` if nothing is.
    pub(super) fn choice<T: Copy, const N: usize>(
        &mut self,
        field: &str,
        text: Option<&str>,
        all: [T; N],
        name: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let text = text?;
        let found = all.into_iter().find(|value| name(*value) == text);
        if found.is_none() {
            let known = all.map(&name);
            let message = format!("`{text}` is none of {}", known.map(|name| format!("`{name}`")).join(", "));
            let error = FieldError::new(field, "unknown_value", message);
            self.problems.push(error.suggesting(nearest(text, known)));
        }
        found
    }

    pub(super) fn rate_limit(&mut self, limit: &RateLimitConfig) -> RateLimit {
        let interval = self.duration("rateLimit.interval", &limit.interval);
        if interval == Some(Duration::ZERO) {
            self.problem("rateLimit.interval", "out_of_range", "must be more than zero");
        }
        let is_sliding = limit.strategy.as_deref() == Some("sliding");
        let most = if is_sliding { SLIDING_LIMIT_MAX } else { RATE_LIMIT_MAX };
        if !(1..=most).contains(&limit.limit) {
            let message = format!("is {}; must be 1 to {most}", limit.limit);
            self.problem("rateLimit.limit", "out_of_range", message);
        }
        let strategies = [RateStrategy::Fixed, RateStrategy::Sliding];
        let strategy = |strategy| if strategy == RateStrategy::Fixed { "fixed" } else { "sliding" };
        let overflows = [RateOverflow::Delay, RateOverflow::Drop];
        let overflow = |overflow| if overflow == RateOverflow::Delay { "delay" } else { "drop" };
        RateLimit {
            interval: interval.unwrap_or_default(),
            limit: limit.limit,
            strategy: self
                .choice("rateLimit.strategy", limit.strategy.as_deref(), strategies, strategy)
                .unwrap_or_default(),
            overflow: self
                .choice("rateLimit.overflow", limit.overflow.as_deref(), overflows, overflow)
                .unwrap_or_default(),
        }
    }

    pub(super) fn alerts(&mut self, expect_within: Option<&str>, on_failure: Option<&str>) -> Alerts {
        let within = expect_within.and_then(|text| self.duration("expectWithin", text));
        if within.is_some_and(|within| within < EXPECT_MIN) {
            let least = format_duration(EXPECT_MIN);
            self.problem("expectWithin", "out_of_range", format!("must be {least} or more"));
        }
        let on_failure = on_failure.and_then(|text| self.parse("onFailure", "invalid_event_name", text));
        Alerts { expect_within: within, on_failure }
    }

    pub(super) fn limits(&mut self, limits: &LimitsConfig) -> LimitWishes {
        let timeout = self.duration_option("limits.timeout", limits.timeout.as_ref());
        // Nothing runs without any of these; a limit of none at all makes sense for the others.
        let zero = [
            ("limits.fuel", limits.fuel == Some(0)),
            ("limits.timeout", timeout == Some(Duration::ZERO)),
            ("limits.memory", limits.memory == Some(0)),
        ];
        for (field, _) in zero.into_iter().filter(|(_, is_zero)| *is_zero) {
            self.problem(field, "out_of_range", "must be more than zero");
        }
        LimitWishes {
            fuel: limits.fuel,
            timeout,
            memory_bytes: limits.memory,
            output_bytes: limits.output,
            log_bytes: limits.log,
            host_calls: limits.host_calls,
            events: limits.events,
            key_value_bytes: limits.key_value,
            egress_requests: limits.egress_requests,
            egress_bytes: limits.egress_bytes,
        }
    }
}
