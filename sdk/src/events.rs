//! Telling other tasks that something happened.

use std::error::Error;
use std::fmt;

use serde::Serialize;

use crate::{host, json};

/// Publishes an event, with data that is written as JSON; `&()` is no data.
///
/// An event is an effect: it takes place when the execution has succeeded, in the order of the calls. If the
/// execution fails, none of its events was ever published, so an attempt that comes after never doubles them.
///
/// ```
/// use innkeeper_sdk::{Failure, events};
/// use serde_json::json;
///
/// fn remember(order: u64) -> Result<(), Failure> {
///     events::publish("order:paid", &json!({"orderId": order})).map_err(Failure::permanent)
/// }
/// # assert_eq!(remember(7), Ok(()));
/// ```
///
/// # Errors
/// The host refused the event. The handler may go on: a refused event has no effect.
pub fn publish(event: &str, data: &impl Serialize) -> Result<(), PublishError> {
    let data = json::write(data).map_err(|error| PublishError::InvalidData(error.to_string()))?;
    host::publish(event, data.as_deref())
}

/// Why an event was refused. Each message says what was wrong.
///
/// ```
/// use innkeeper_sdk::events::{self, PublishError};
///
/// assert!(matches!(events::publish("two words", &()), Err(PublishError::InvalidName(_))));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishError {
    /// The name is not 1 to 200 bytes without white space, control characters and `*`.
    InvalidName(String),
    /// The data cannot be written as JSON.
    InvalidData(String),
    /// The data is longer than the host's limit, or the execution's events together are.
    TooLarge(String),
    /// The execution has published as many events as the host allows it.
    TooMany(String),
}

impl fmt::Display for PublishError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, message) = match self {
            Self::InvalidName(message) => ("the event's name is invalid", message),
            Self::InvalidData(message) => ("the event's data is invalid", message),
            Self::TooLarge(message) => ("the event is too large", message),
            Self::TooMany(message) => ("there are too many events", message),
        };
        write!(out, "{what}: {message}")
    }
}

impl Error for PublishError {}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::Failure;
    use crate::testing::{PublishedEvent, Scenario};

    #[test]
    fn data_is_written_as_json() {
        let report = Scenario::new().enter(|| publish("a:b", &[1, 2]).and_then(|()| publish("c", &())));
        let named = |name: &str, data| PublishedEvent { event: name.to_owned(), data };
        assert_eq!(report.result, Ok(()));
        assert_eq!(report.events, [named("a:b", Some("[1,2]".into())), named("c", None)]);
    }

    #[test]
    fn what_cannot_be_written_is_not_published() {
        let report = Scenario::new().enter(|| publish("a:b", &HashMap::from([(vec![1], 2)])));
        assert_eq!(report.result, Err(PublishError::InvalidData("key must be a string".to_owned())));
        assert_eq!(report.events, []);
    }

    #[test]
    fn a_refusal_says_what_was_wrong() {
        let refusal = PublishError::TooMany("100 events are the limit".to_owned());
        let report = Scenario::new().refuse_events(refusal).enter(|| publish("a:b", &()));
        let failure = report.result.map_err(Failure::from);
        assert_eq!(failure, Err(Failure::retry("there are too many events: 100 events are the limit")));
        assert_eq!(report.events, []);
    }
}
