//! Published events.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::id::EventId;
use crate::time::Timestamp;
use crate::topic::EventName;
use crate::trace::TraceId;

/// How many events may follow from one another: the execution that would publish one more fails as `hop_limit`.
pub const HOPS_MAX: u32 = 16;

/// A named fact with JSON data.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Unique identifier.
    pub id: EventId,
    /// Its name.
    pub event: EventName,
    /// Its data: JSON text.
    #[serde(serialize_with = "raw_json")]
    pub data: Option<String>,
    /// When it was accepted.
    pub published_at: Timestamp,
    /// The trace it was published in; `None` if its client named none: then a trace begins with each of its runs.
    pub trace_id: Option<TraceId>,
}

/// Writes JSON text as the JSON it is. Text that is not JSON is written as a string.
///
/// # Errors
/// Those of the serializer.
pub fn raw_json<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(text) = text else { return serializer.serialize_none() };
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => raw.serialize(serializer),
        Err(_) => serializer.serialize_str(text),
    }
}
