//! A task as its author writes it: the specification's `TaskConfig`, in its JSON names.

use serde_json::{Map, Value};

use crate::problem::{FieldError, nearest};

/// A task as its author writes it. Nothing in it is checked but its shape.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskConfig {
    /// `id`: unique among the tenant's tasks.
    pub id: String,
    /// `name`: for people.
    pub name: Option<String>,
    /// `type`: `schedule` or `event`.
    pub task_type: String,
    /// `preset`: such as `@daily`.
    pub preset: Option<String>,
    /// `cron`: a pattern of five, six or seven fields.
    pub cron: Option<String>,
    /// `at`: an ISO 8601 timestamp.
    pub at: Option<String>,
    /// `after`: a duration from now.
    pub after: Option<String>,
    /// `timezone`: an IANA name.
    pub timezone: Option<String>,
    /// `onEvent`: an event name, or a pattern with `*`.
    pub on_event: Option<String>,
    /// `plugin`: the handler, `name` or `name@digest`.
    pub plugin: String,
    /// `retryPolicy`.
    pub retry_policy: Option<RetryPolicyConfig>,
    /// `rateLimit`.
    pub rate_limit: Option<RateLimitConfig>,
    /// `overlap`: `skip`, `queue`, `cancelPrevious` or `allow`.
    pub overlap: Option<String>,
    /// `misfire`: `runOnce`, `skip` or `catchUp`.
    pub misfire: Option<String>,
    /// `concurrency`: executions of the task at once.
    pub concurrency: Option<u32>,
    /// `limits`.
    pub limits: Option<LimitsConfig>,
    /// `expectWithin`: a duration; `task:overdue` is published if the task does not succeed for so long.
    pub expect_within: Option<String>,
    /// `onFailure`: the event to publish whenever a run ends failed.
    pub on_failure: Option<String>,
    /// `isPaused`: whether the task starts paused.
    pub is_paused: bool,
    /// `allowPast`: whether `at` may be in the past, and then runs at once.
    pub allow_past: bool,
    /// `metadata`: data for the handler.
    pub metadata: Option<Map<String, Value>>,
}

/// The specification's `RetryPolicy`, and two fields of ours after it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RetryPolicyConfig {
    /// `maxAttempts`: attempts in all, the first included.
    pub max_attempts: u32,
    /// `delay`: a duration; at once if absent.
    pub delay: Option<String>,
    /// `backoff`: `fixed` (default) or `exponential`.
    pub backoff: Option<String>,
    /// `maxRetryDuration`: a duration, the window for all attempts.
    pub max_retry_duration: Option<String>,
    /// `maxDelay`: a duration, the longest delay.
    pub max_delay: Option<String>,
    /// `jitter`: the share of the delay, 0 to 1, that chance may take off.
    pub jitter: Option<f64>,
}

/// The specification's `RateLimit`, and one field of ours after it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RateLimitConfig {
    /// `interval`: a duration.
    pub interval: String,
    /// `limit`: executions per interval.
    pub limit: u32,
    /// `strategy`: `fixed` (default) or `sliding`.
    pub strategy: Option<String>,
    /// `overflow`: `delay` (default) or `drop`.
    pub overflow: Option<String>,
}

/// What one execution may use, where it is less than the host allows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LimitsConfig {
    /// `fuel`: units.
    pub fuel: Option<u64>,
    /// `timeout`: a duration.
    pub timeout: Option<String>,
    /// `memory`: bytes.
    pub memory: Option<u64>,
    /// `output`: bytes of the result.
    pub output: Option<u64>,
    /// `log`: bytes of log text kept.
    pub log: Option<u64>,
    /// `hostCalls`: calls into the host.
    pub host_calls: Option<u64>,
    /// `events`: events published.
    pub events: Option<u64>,
    /// `keyValue`: bytes of keys and values read and written.
    pub key_value: Option<u64>,
    /// `egressRequests`: outgoing requests.
    pub egress_requests: Option<u64>,
    /// `egressBytes`: bytes of outgoing requests and their answers.
    pub egress_bytes: Option<u64>,
}

impl TaskConfig {
    /// Every field, by its name in JSON.
    pub const KEYS: [&str; 21] = [
        "id",
        "name",
        "type",
        "preset",
        "cron",
        "at",
        "after",
        "timezone",
        "onEvent",
        "plugin",
        "retryPolicy",
        "rateLimit",
        "overlap",
        "misfire",
        "concurrency",
        "limits",
        "expectWithin",
        "onFailure",
        "isPaused",
        "allowPast",
        "metadata",
    ];

    /// Reads a task from JSON.
    ///
    /// # Errors
    /// Every key that is unknown, missing or of the wrong type.
    pub fn from_json(value: Value) -> Result<Self, Vec<FieldError>> {
        let (config, problems) = Self::read(value);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// As much of a task as can be read from JSON, and every key that is unknown, missing or of the wrong type.
    #[must_use]
    pub fn read(value: Value) -> (Self, Vec<FieldError>) {
        let mut problems = Vec::new();
        let mut fields = Fields::new("", value, &Self::KEYS, &mut problems);
        let config = Self {
            id: fields.required_text("id"),
            name: fields.text("name"),
            task_type: fields.required_text("type"),
            preset: fields.text("preset"),
            cron: fields.text("cron"),
            at: fields.text("at"),
            after: fields.text("after"),
            timezone: fields.text("timezone"),
            on_event: fields.text("onEvent"),
            plugin: fields.required_text("plugin"),
            is_paused: fields.boolean("isPaused"),
            allow_past: fields.boolean("allowPast"),
            metadata: fields.object("metadata"),
            retry_policy: fields.nested("retryPolicy", RetryPolicyConfig::read),
            rate_limit: fields.nested("rateLimit", RateLimitConfig::read),
            overlap: fields.text("overlap"),
            misfire: fields.text("misfire"),
            concurrency: fields.whole("concurrency"),
            expect_within: fields.text("expectWithin"),
            on_failure: fields.text("onFailure"),
            limits: fields.nested("limits", LimitsConfig::read),
        };
        (config, problems)
    }

    /// What is wrong with a task in all, where its form is wrong in the first way and what could be read of it in the second:
    /// each field once, and nothing about a trigger that may be what could not be read.
    #[must_use]
    pub fn all_problems(form: Vec<FieldError>, meaning: Vec<FieldError>) -> Vec<FieldError> {
        let is_told = |field: &str| form.iter().any(|problem| problem.field == field);
        let is_about_triggers = |code: &str| matches!(code, "no_trigger" | "several_triggers");
        let is_certain = |problem: &FieldError| !is_told(&problem.field) && !is_about_triggers(&problem.code);
        let more: Vec<_> = meaning.into_iter().filter(is_certain).collect();
        form.into_iter().chain(more).collect()
    }
}

impl RetryPolicyConfig {
    fn read(value: Value, problems: &mut Vec<FieldError>) -> Self {
        let keys = ["maxAttempts", "delay", "backoff", "maxRetryDuration", "maxDelay", "jitter"];
        let mut fields = Fields::new("retryPolicy.", value, &keys, problems);
        Self {
            max_attempts: fields.required_whole("maxAttempts"),
            delay: fields.text("delay"),
            backoff: fields.text("backoff"),
            max_retry_duration: fields.text("maxRetryDuration"),
            max_delay: fields.text("maxDelay"),
            jitter: fields.number("jitter"),
        }
    }
}

impl RateLimitConfig {
    fn read(value: Value, problems: &mut Vec<FieldError>) -> Self {
        let mut fields =
            Fields::new("rateLimit.", value, &["interval", "limit", "strategy", "overflow"], problems);
        Self {
            interval: fields.required_text("interval"),
            limit: fields.required_whole("limit"),
            strategy: fields.text("strategy"),
            overflow: fields.text("overflow"),
        }
    }
}

impl LimitsConfig {
    /// The names of the limits.
    pub const KEYS: [&str; 10] = [
        "fuel",
        "timeout",
        "memory",
        "output",
        "log",
        "hostCalls",
        "events",
        "keyValue",
        "egressRequests",
        "egressBytes",
    ];

    /// Reads limits from JSON. The fields of what is wrong are named as those of a task's `limits`.
    ///
    /// # Errors
    /// Every key that is unknown or of the wrong type.
    pub fn from_json(value: Value) -> Result<Self, Vec<FieldError>> {
        let mut problems = Vec::new();
        let config = Self::read(value, &mut problems);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn read(value: Value, problems: &mut Vec<FieldError>) -> Self {
        let mut fields = Fields::new("limits.", value, &LimitsConfig::KEYS, problems);
        Self {
            fuel: fields.whole("fuel"),
            timeout: fields.text("timeout"),
            memory: fields.whole("memory"),
            output: fields.whole("output"),
            log: fields.whole("log"),
            host_calls: fields.whole("hostCalls"),
            events: fields.whole("events"),
            key_value: fields.whole("keyValue"),
            egress_requests: fields.whole("egressRequests"),
            egress_bytes: fields.whole("egressBytes"),
        }
    }
}

/// Takes typed fields out of a JSON object and notes every problem on the way.
struct Fields<'a> {
    prefix: &'static str,
    object: Map<String, Value>,
    problems: &'a mut Vec<FieldError>,
}

impl<'a> Fields<'a> {
    fn new(prefix: &'static str, value: Value, keys: &[&str], problems: &'a mut Vec<FieldError>) -> Self {
        let Value::Object(object) = value else {
            let field = prefix.trim_end_matches('.');
            problems.push(FieldError::new(field, "wrong_type", format!("must be an object, not {value}")));
            return Self { prefix, object: Map::new(), problems };
        };
        for key in object.keys().filter(|key| !keys.contains(&key.as_str())) {
            let suggestion = nearest(key, keys.iter().copied());
            let hint =
                suggestion.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let message = format!("is not a known field{hint}");
            let error = FieldError::new(format!("{prefix}{key}"), "unknown_field", message);
            problems.push(error.suggesting(suggestion));
        }
        Self { prefix, object, problems }
    }

    fn problem(&mut self, key: &str, code: &str, message: String) {
        self.problems.push(FieldError::new(format!("{}{key}", self.prefix), code, message));
    }

    /// The value under `key` as `read` gives it; `null` counts as absent.
    fn take<T>(&mut self, key: &str, expected: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.object.remove(key).filter(|value| !value.is_null())?;
        let taken = read(&value);
        if taken.is_none() {
            self.problem(key, "wrong_type", format!("must be {expected}, not {value}"));
        }
        taken
    }

    fn required<T: Default>(&mut self, key: &str, take: impl FnOnce(&mut Self) -> Option<T>) -> T {
        if self.object.get(key).is_none_or(Value::is_null) {
            self.problem(key, "missing", "is required".to_owned());
        }
        take(self).unwrap_or_default()
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.take(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    fn required_text(&mut self, key: &str) -> String {
        self.required(key, |fields| fields.text(key))
    }

    fn boolean(&mut self, key: &str) -> bool {
        self.take(key, "true or false", Value::as_bool).unwrap_or(false)
    }

    fn number(&mut self, key: &str) -> Option<f64> {
        self.take(key, "a number", Value::as_f64)
    }

    fn whole<T: TryFrom<u64>>(&mut self, key: &str) -> Option<T> {
        self.take(key, "a whole number", |value| value.as_u64().and_then(|number| number.try_into().ok()))
    }

    fn required_whole(&mut self, key: &str) -> u32 {
        self.required(key, |fields| fields.whole(key))
    }

    fn object(&mut self, key: &str) -> Option<Map<String, Value>> {
        self.take(key, "an object", |value| value.as_object().cloned())
    }

    fn nested<T>(&mut self, key: &str, read: fn(Value, &mut Vec<FieldError>) -> T) -> Option<T> {
        let value = self.object.remove(key).filter(|value| !value.is_null())?;
        Some(read(value, self.problems))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_config_is_read() {
        let config = TaskConfig::from_json(json!({
            "id": "cache:cleanup", "type": "schedule", "preset": "@daily", "timezone": "America/New_York",
            "plugin": "cleaner", "metadata": {"deep": true}, "isPaused": true, "name": null,
            "retryPolicy": {"maxAttempts": 3, "delay": "1m", "backoff": "exponential", "maxRetryDuration": "10m"},
            "limits": {"fuel": 1000, "timeout": "5s", "memory": 1_048_576},
        }))
        .expect("a valid config");
        assert_eq!(config.preset.as_deref(), Some("@daily"));
        assert_eq!(config.name, None);
        assert!(config.is_paused);
        assert_eq!(config.retry_policy.expect("a policy").max_attempts, 3);
        assert_eq!(config.limits.expect("limits").memory, Some(1_048_576));
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let problems = TaskConfig::from_json(json!({
            "id": 7, "type": "event", "onevent": "x", "retryPolicy": {"delay": 5}, "limits": [], "isPaused": "no",
        }))
        .expect_err("an invalid config");
        let named: Vec<_> =
            problems.iter().map(|problem| (problem.field.as_str(), problem.code.as_str())).collect();
        for expected in [
            ("onevent", "unknown_field"),
            ("id", "wrong_type"),
            ("plugin", "missing"),
            ("isPaused", "wrong_type"),
            ("retryPolicy.maxAttempts", "missing"),
            ("retryPolicy.delay", "wrong_type"),
            ("limits", "wrong_type"),
        ] {
            assert!(named.contains(&expected), "{expected:?} in {named:?}");
        }
        assert_eq!(named.len(), 7);
        assert_eq!(problems[0].suggestion.as_deref(), Some("onEvent"));
    }
}
