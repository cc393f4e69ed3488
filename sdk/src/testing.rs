//! A stand-in for the host, for tests of a plugin that are built natively.
//!
//! ```
//! use innkeeper_sdk::testing::Scenario;
//! use innkeeper_sdk::{Failure, events, handler};
//! use serde_json::json;
//!
//! #[handler]
//! fn welcome(event: &str, user: u64) -> Result<String, Failure> {
//!     events::publish("user:welcomed", &user)?;
//!     Ok(format!("{event} {user}"))
//! }
//!
//! # fn main() {
//! let report = Scenario::new().event("user:created").data(&7).run(welcome);
//! assert_eq!(report.result, Ok(Some(json!("user:created 7"))));
//! assert_eq!(report.events[0].event, "user:welcomed");
//!
//! let wrong = Scenario::new().event("user:created").data(&"seven").run(welcome);
//! assert!(matches!(wrong.result, Err(Failure::Permanent(_))));
//! # }
//! ```
//!
//! A handler that is called outside any scenario sees the one of [`Scenario::new`]; its log goes to standard
//! error, as that of every scenario does, and its events are checked and forgotten.

#[cfg(feature = "config")]
pub(crate) mod config;
#[cfg(feature = "kv")]
pub(crate) mod kv;
mod report;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use serde::Serialize;
use serde_json::Value;

use crate::context::Execution;
use crate::entry::Handler;
use crate::events::PublishError;
use crate::log::Level;
use crate::{Failure, json};

#[cfg(feature = "kv")]
pub use self::kv::KeyWrite;
pub use self::report::{LogLine, Progress, PublishedEvent, Report};

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// What a handler finds when it is called: an event, data, an execution. Tests on other threads have their
/// own.
///
/// ```
/// use innkeeper_sdk::{context, testing::Scenario};
///
/// let report = Scenario::new().attempt(2).enter(|| context::current().attempt);
/// assert_eq!(report.result, 2);
/// ```
#[derive(Debug, Clone)]
pub struct Scenario {
    execution: Execution,
    event: Option<String>,
    data: Option<String>,
    refusal: Option<PublishError>,
    traceparent: Option<String>,
    #[cfg(feature = "http")]
    pub(crate) http: crate::http::scripted::Script,
    #[cfg(feature = "kv")]
    stored: kv::Stored,
    #[cfg(feature = "config")]
    config: config::Configured,
}

impl Scenario {
    /// The first and only attempt of a run that a person started: no event, no data, no metadata.
    ///
    /// ```
    /// use innkeeper_sdk::{context, testing::Scenario};
    ///
    /// assert_eq!(Scenario::new().enter(|| context::current().attempt).result, 1);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let execution = Execution {
            run_id: "01990000-0000-7000-8000-000000000001".to_owned(),
            execution_id: "01990000-0000-7000-8000-000000000002".to_owned(),
            task_id: "test:task".to_owned(),
            attempt: 1,
            max_attempts: 1,
            scheduled_at: None,
            started_at: "2025-09-01T15:00:00.000Z".to_owned(),
            deadline: "2025-09-01T15:00:30.000Z".to_owned(),
            metadata: None,
            tenant: "test".to_owned(),
            plugin_digest: "0".repeat(64),
        };
        Self {
            execution,
            event: None,
            data: None,
            refusal: None,
            traceparent: None,
            #[cfg(feature = "http")]
            http: crate::http::scripted::Script::default(),
            #[cfg(feature = "kv")]
            stored: kv::Stored::default(),
            #[cfg(feature = "config")]
            config: config::Configured::default(),
        }
    }

    /// The run was started by an event of this name.
    ///
    /// ```
    /// use innkeeper_sdk::testing::Scenario;
    /// use serde_json::{Value, json};
    ///
    /// let name = |event: String, _: Value| Ok::<_, String>(event);
    /// assert_eq!(Scenario::new().event("user:seen").run(name).result, Ok(Some(json!("user:seen"))));
    /// ```
    #[must_use]
    pub fn event(mut self, name: &str) -> Self {
        self.event = Some(name.to_owned());
        self
    }

    /// The run has this data, written as JSON.
    ///
    /// ```
    /// use innkeeper_sdk::testing::Scenario;
    /// use serde_json::json;
    ///
    /// let sum = |_: Option<&str>, data: Vec<u32>| Ok::<_, String>(data.iter().sum::<u32>());
    /// assert_eq!(Scenario::new().data(&[1, 2]).run(sum).result, Ok(Some(json!(3))));
    /// ```
    ///
    /// # Panics
    /// If it cannot be written as JSON.
    #[must_use]
    pub fn data(mut self, data: &impl Serialize) -> Self {
        self.data = json::write(data).expect("a scenario's data can be written as JSON");
        self
    }

    /// The task has this metadata, written as JSON.
    ///
    /// ```
    /// use innkeeper_sdk::{context, testing::Scenario};
    ///
    /// let scenario = Scenario::new().metadata(&[1, 2]);
    /// assert_eq!(scenario.enter(context::metadata::<Vec<u8>>).result, Ok(vec![1, 2]));
    /// ```
    ///
    /// # Panics
    /// If it cannot be written as JSON.
    #[must_use]
    pub fn metadata(mut self, metadata: &impl Serialize) -> Self {
        self.execution.metadata =
            json::write(metadata).expect("a scenario's metadata can be written as JSON");
        self
    }

    /// This is the attempt of that number, from 1.
    ///
    /// ```
    /// use innkeeper_sdk::{context, testing::Scenario};
    ///
    /// assert_eq!(Scenario::new().attempt(2).enter(|| context::current().attempt).result, 2);
    /// ```
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.execution.attempt = attempt;
        self.execution.max_attempts = self.execution.max_attempts.max(attempt);
        self
    }

    /// The run may have that many attempts.
    ///
    /// ```
    /// use innkeeper_sdk::{context, testing::Scenario};
    ///
    /// let scenario = Scenario::new().max_attempts(3);
    /// assert!(!scenario.enter(|| context::current().is_last_attempt()).result);
    /// ```
    #[must_use]
    pub fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.execution.max_attempts = max_attempts;
        self
    }

    /// The run was started by a schedule and due at this time: RFC 3339 in UTC.
    ///
    /// ```
    /// use innkeeper_sdk::{context, testing::Scenario};
    ///
    /// let scenario = Scenario::new().scheduled_at("2025-09-01T15:00:00.000Z");
    /// assert!(scenario.enter(|| context::current().scheduled_at.is_some()).result);
    /// ```
    #[must_use]
    pub fn scheduled_at(mut self, time: &str) -> Self {
        self.execution.scheduled_at = Some(time.to_owned());
        self
    }

    /// The execution stands there in a trace. Without this it stands in none.
    #[must_use]
    pub fn traceparent(mut self, traceparent: &str) -> Self {
        self.traceparent = Some(traceparent.to_owned());
        self
    }

    /// The rest of the execution, as `change` leaves it.
    ///
    /// ```
    /// use innkeeper_sdk::{context, testing::Scenario};
    ///
    /// let scenario = Scenario::new().execution(|execution| execution.tenant = "acme".to_owned());
    /// assert_eq!(scenario.enter(|| context::current().tenant).result, "acme");
    /// ```
    #[must_use]
    pub fn execution(mut self, change: impl FnOnce(&mut Execution)) -> Self {
        change(&mut self.execution);
        self
    }

    /// The host refuses every event with this error.
    ///
    /// ```
    /// use innkeeper_sdk::events::{self, PublishError};
    /// use innkeeper_sdk::testing::Scenario;
    ///
    /// let full = PublishError::TooMany("at most 100".to_owned());
    /// let scenario = Scenario::new().refuse_events(full.clone());
    /// assert_eq!(scenario.enter(|| events::publish("user:seen", &())).result, Err(full));
    /// ```
    #[must_use]
    pub fn refuse_events(mut self, error: PublishError) -> Self {
        self.refusal = Some(error);
        self
    }

    /// Calls a handler as the host would: with this event and with this data as JSON text.
    ///
    /// The report has the output as JSON and no effects, such as events, if the handler failed.
    ///
    /// ```
    /// use innkeeper_sdk::testing::Scenario;
    ///
    /// assert_eq!(Scenario::new().run(|| {}).result, Ok(None));
    /// ```
    ///
    /// # Panics
    /// If the handler does.
    pub fn run<'event, A>(
        &'event self,
        handler: impl Handler<'event, A>,
    ) -> Report<Result<Option<Value>, Failure>> {
        let called = self.enter(|| handler.call(self.event.as_deref(), self.data.as_deref()));
        let result = called.result.and_then(|output| json::read("output", output.as_deref()));
        let has_effects = result.is_ok();
        Report {
            result,
            events: if has_effects { called.events } else { Vec::new() },
            logs: called.logs,
            progress: called.progress,
            #[cfg(feature = "http")]
            requests: called.requests,
            #[cfg(feature = "kv")]
            writes: if has_effects { called.writes } else { Vec::new() },
        }
    }

    /// Does `work` in this scenario, and reports every event it asked for. For calling a handler as a plain
    /// function, or a part of one; event and data of the scenario play no part.
    ///
    /// ```
    /// use innkeeper_sdk::{events, testing::Scenario};
    ///
    /// let report = Scenario::new().enter(|| events::publish("user:seen", &7));
    /// assert_eq!((report.result, report.events.len()), (Ok(()), 1));
    /// ```
    ///
    /// # Panics
    /// If `work` does.
    pub fn enter<T>(&self, work: impl FnOnce() -> T) -> Report<T> {
        let before = Before(STAGE.replace(Some(Stage::new(self.clone()))));
        let result = work();
        let after = STAGE.replace(None);
        drop(before);
        let stage = after.unwrap_or_else(|| Stage::new(self.clone()));
        Report {
            result,
            events: stage.events,
            logs: stage.logs,
            progress: stage.progress,
            #[cfg(feature = "http")]
            requests: stage.scenario.http.requests,
            #[cfg(feature = "kv")]
            writes: stage.written.into_writes(),
        }
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self::new()
    }
}

/// A scenario that is being played, and what came of it so far.
struct Stage {
    scenario: Scenario,
    events: Vec<PublishedEvent>,
    logs: Vec<LogLine>,
    progress: Vec<Progress>,
    #[cfg(feature = "kv")]
    written: kv::Written,
}

impl Stage {
    fn new(scenario: Scenario) -> Self {
        Self {
            scenario,
            events: Vec::new(),
            logs: Vec::new(),
            progress: Vec::new(),
            #[cfg(feature = "kv")]
            written: kv::Written::default(),
        }
    }
}

/// Does something with the HTTP of the scenario that is being played; `None` outside any.
#[cfg(feature = "http")]
pub(crate) fn on_stage<T>(work: impl FnOnce(&mut crate::http::scripted::Script) -> T) -> Option<T> {
    STAGE.with_borrow_mut(|stage| stage.as_mut().map(|stage| work(&mut stage.scenario.http)))
}

/// Puts the stage back that was there before, even if a panic ends the scenario.
struct Before(Option<Stage>);

impl Drop for Before {
    fn drop(&mut self) {
        STAGE.set(self.0.take());
    }
}

pub(crate) fn current() -> Execution {
    STAGE.with_borrow(|stage| {
        stage.as_ref().map_or_else(|| Scenario::new().execution, |stage| stage.scenario.execution.clone())
    })
}

pub(crate) fn traceparent() -> Option<String> {
    STAGE.with_borrow(|stage| stage.as_ref().and_then(|stage| stage.scenario.traceparent.clone()))
}

pub(crate) fn progress(fraction: f32, note: &str) {
    STAGE.with_borrow_mut(|stage| {
        if let Some(stage) = stage {
            stage.progress.push(Progress { fraction, note: note.to_owned() });
        }
    });
}

pub(crate) fn publish(event: &str, data: Option<&str>) -> Result<(), PublishError> {
    let refused = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '*';
    if !(1..=200).contains(&event.len()) || event.contains(refused) {
        let rule = "1 to 200 bytes without white space, control characters and `*` are allowed";
        return Err(PublishError::InvalidName(format!("{event:?}: {rule}")));
    }
    STAGE.with_borrow_mut(|stage| {
        let Some(stage) = stage else { return Ok(()) };
        if let Some(error) = &stage.scenario.refusal {
            return Err(error.clone());
        }
        stage.events.push(PublishedEvent { event: event.to_owned(), data: data.map(ToOwned::to_owned) });
        Ok(())
    })
}

pub(crate) fn log(level: Level, context: &str, message: &str) {
    eprintln!("{level} {context}: {message}");
    STAGE.with_borrow_mut(|stage| {
        if let Some(stage) = stage {
            stage.logs.push(LogLine { level, context: context.to_owned(), message: message.to_owned() });
        }
    });
}
