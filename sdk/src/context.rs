//! Which execution a handler is part of.

use serde::de::DeserializeOwned;

use crate::{Failure, calendar, host, json};

/// The execution that the caller is part of.
///
/// ```
/// use innkeeper_sdk::context;
///
/// let execution = context::current();
/// let key = format!("{}/{}", execution.task_id, execution.run_id);
/// assert!(execution.attempt <= execution.max_attempts, "{key}");
/// ```
#[must_use]
pub fn current() -> Execution {
    host::current()
}

/// The task's metadata as a `T`. A task without metadata reads as `null`, so take an `Option` where there may
/// be none.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     greeting: String,
/// }
///
/// fn greeting() -> Result<String, innkeeper_sdk::Failure> {
///     let settings = innkeeper_sdk::context::metadata::<Option<Settings>>()?;
///     Ok(settings.map_or("Hello".to_owned(), |settings| settings.greeting))
/// }
/// # assert_eq!(greeting(), Ok("Hello".to_owned()));
/// ```
///
/// # Errors
/// A permanent failure if the metadata does not fit `T`; it shows what was expected and what the metadata is.
pub fn metadata<T: DeserializeOwned>() -> Result<T, Failure> {
    json::read("metadata", current().metadata.as_deref())
}

/// Where the execution stands in a trace, as a value for the header `traceparent` of W3C Trace Context whose parent is this
/// execution. The host adds it to outgoing HTTP requests that have none; for whatever else carries one.
///
/// ```
/// use innkeeper_sdk::context;
/// use innkeeper_sdk::testing::Scenario;
///
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let scenario = Scenario::new().traceparent(parent);
/// assert_eq!(scenario.enter(context::traceparent).result.as_deref(), Some(parent));
/// ```
#[must_use]
pub fn traceparent() -> Option<String> {
    host::traceparent()
}

/// Tells how far the handler is, for people who look at the execution while it runs: the fraction of its work that is done, from
/// 0 to 1, and what it is doing, in 200 characters at most. Say so as often as you like; only the latest is kept, and none of it
/// when the execution has ended.
///
/// ```
/// use innkeeper_sdk::context;
/// use innkeeper_sdk::testing::Scenario;
///
/// fn send(letters: &[&str]) {
///     for (sent, letter) in letters.iter().enumerate() {
///         context::progress(sent as f32 / letters.len() as f32, &format!("sending to {letter}"));
///     }
/// }
///
/// let report = Scenario::new().enter(|| send(&["Ada", "Grace"]));
/// assert_eq!(report.progress[1].fraction, 0.5);
/// assert_eq!(report.progress[1].note, "sending to Grace");
/// ```
pub fn progress(fraction: f32, note: &str) {
    host::progress(fraction, note);
}

/// One attempt of one run of a task. Times are RFC 3339 in UTC, such as `2025-09-01T15:00:00.000Z`.
///
/// ```
/// let key = innkeeper_sdk::context::current().run_id;
/// assert_eq!(key, innkeeper_sdk::context::current().run_id);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The run: the same for each of its attempts, and so the key for making work idempotent.
    pub run_id: String,
    /// This attempt: different for every call.
    pub execution_id: String,
    /// The task that is run.
    pub task_id: String,
    /// Which attempt of the run this is, from 1.
    pub attempt: u32,
    /// How many attempts the run may have, at least 1.
    pub max_attempts: u32,
    /// When the run was due; `None` unless a schedule started it.
    pub scheduled_at: Option<String>,
    /// When this attempt started.
    pub started_at: String,
    /// When the host stops this attempt if it has not ended by itself.
    pub deadline: String,
    /// The task's metadata as JSON text; `None` if it has none. [`metadata`] reads it.
    pub metadata: Option<String>,
    /// The tenant that owns the task and the plugin.
    pub tenant: String,
    /// The running plugin version: the SHA-256 digest of the component's bytes, as 64 hexadecimal digits.
    pub plugin_digest: String,
}

impl Execution {
    /// When this attempt started, in whole seconds since 1970.
    ///
    /// ```
    /// let execution = innkeeper_sdk::context::current();
    /// assert_eq!(execution.started_at, "2025-09-01T15:00:00.000Z");
    /// assert_eq!(execution.started_at_seconds(), 1_756_738_800);
    /// ```
    #[must_use]
    pub fn started_at_seconds(&self) -> i64 {
        calendar::seconds(&self.started_at).unwrap_or(0)
    }

    /// Whether the run ends with this attempt even if it fails in a way that may be tried again.
    ///
    /// ```
    /// use innkeeper_sdk::{context, testing::Scenario};
    ///
    /// let scenario = Scenario::new().attempt(2).max_attempts(3);
    /// assert!(!scenario.enter(|| context::current().is_last_attempt()).result);
    /// ```
    #[must_use]
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Scenario;

    #[test]
    fn metadata_is_read_as_what_is_asked_for() {
        let scenario = Scenario::new().metadata(&json!({"size": 3}));
        assert_eq!(scenario.enter(metadata::<Value>).result, Ok(json!({"size": 3})));
        let wrong = scenario.enter(metadata::<u8>).result;
        assert!(
            matches!(&wrong, Err(Failure::Permanent(text)) if text.contains(r#"it is {"size":3}"#)),
            "{wrong:?}"
        );
        assert_eq!(Scenario::new().enter(metadata::<Option<u8>>).result, Ok(None));
    }

    #[test]
    fn the_start_is_known_in_seconds() {
        let seconds = Scenario::new().enter(|| current().started_at_seconds()).result;
        assert_eq!(seconds, 1_756_738_800);
    }

    #[test]
    fn the_last_attempt_is_known() {
        let last = |attempt| {
            Scenario::new().attempt(attempt).max_attempts(3).enter(|| current().is_last_attempt()).result
        };
        assert_eq!((last(2), last(3)), (false, true));
    }
}
