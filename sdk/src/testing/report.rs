//! What came of a scenario.

#[cfg(feature = "kv")]
use super::KeyWrite;
use crate::log::Level;

/// What came of a scenario.
///
/// ```
/// use innkeeper_sdk::{log, testing::Scenario};
///
/// let report = Scenario::new().enter(|| log::info!("here"));
/// assert_eq!(report.logs.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Report<T> {
    /// What the handler gave back.
    pub result: T,
    /// The events it published, in order.
    pub events: Vec<PublishedEvent>,
    /// What it logged, in order.
    pub logs: Vec<LogLine>,
    /// How far it said it was, in order.
    pub progress: Vec<Progress>,
    /// The HTTP requests it made, in order.
    #[cfg(feature = "http")]
    pub requests: Vec<crate::http::SentRequest>,
    /// What it wrote to the key-value store, by bucket and key, once for each key.
    #[cfg(feature = "kv")]
    pub writes: Vec<KeyWrite>,
}

/// An event that a handler published.
///
/// ```
/// use innkeeper_sdk::{events, testing::Scenario};
///
/// let report = Scenario::new().enter(|| events::publish("user:seen", &7));
/// assert_eq!(report.events[0].data.as_deref(), Some("7"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedEvent {
    /// Its name.
    pub event: String,
    /// Its data as JSON text; `None` if it has none.
    pub data: Option<String>,
}

/// How far a handler said it was.
///
/// ```
/// use innkeeper_sdk::{context, testing::Scenario};
///
/// let report = Scenario::new().enter(|| context::progress(0.25, "reading"));
/// assert_eq!(report.progress[0].note, "reading");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// How much of its work was done.
    pub fraction: f32,
    /// What it was doing.
    pub note: String,
}

/// A message that a handler logged.
///
/// ```
/// use innkeeper_sdk::{log, testing::Scenario};
///
/// let report = Scenario::new().enter(|| log::warn!("{} left", 3));
/// assert_eq!((report.logs[0].level, report.logs[0].message.as_str()), (log::Level::Warn, "3 left"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// What it belongs to: the module's path, if a macro of [`log`](crate::log) wrote it.
    pub context: String,
    /// The message.
    pub message: String,
}
