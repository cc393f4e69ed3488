//! `innkeeper:plugin/events`: events that are published if the execution succeeds.

use innkeeper_model::execution::FailureKind;
use innkeeper_model::sandbox::PublishedEvent;
use innkeeper_model::topic::EventName;
use wasmtime::component::{HasData, Linker};

use crate::bindings::innkeeper::plugin::events::{self, PublishError};
use crate::json;
use crate::state::State;
use crate::usage::Usage;

/// Bytes of all events of one execution: they wait in memory until it ends.
const TOTAL_BYTES_MAX: usize = 4 << 20;

/// The events that an execution has published so far.
#[derive(Debug)]
pub(crate) struct Outbox {
    events: Vec<PublishedEvent>,
    bytes: usize,
    events_max: u64,
    /// Bytes of one event's data.
    data_bytes_max: usize,
}

struct Events;

impl HasData for Events {
    type Data<'a> = Publisher<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    events::add_to_linker::<State, Events>(linker, |state| Publisher::of(state.enter()))
}

/// An outbox, and where a breach of its limits is noted.
pub(crate) struct Publisher<'a> {
    outbox: &'a mut Outbox,
    usage: &'a mut Usage,
}

impl<'a> Publisher<'a> {
    /// Borrows what is needed of the execution.
    pub(crate) fn of(state: &'a mut State) -> Self {
        Self { outbox: &mut state.outbox, usage: &mut state.usage }
    }
}

impl events::Host for Publisher<'_> {
    fn publish(&mut self, event: String, data: Option<String>) -> Result<(), PublishError> {
        let published = self.outbox.add(&event, data);
        if let Err(PublishError::TooMany(message) | PublishError::TooLarge(message)) = &published {
            self.usage.refuse(FailureKind::EventLimit, message.clone());
        }
        published
    }
}

impl Outbox {
    fn add(&mut self, event: &str, data: Option<String>) -> Result<(), PublishError> {
        let name: EventName = event.parse().map_err(|_| invalid_name(event))?;
        if self.events.len() as u64 >= self.events_max {
            let message = format!("an execution may publish {} events", self.events_max);
            return Err(PublishError::TooMany(message));
        }
        if let Some(data) = &data {
            self.check_data(data)?;
        }
        let bytes = self.bytes + event.len() + data.as_ref().map_or(0, String::len);
        if bytes > TOTAL_BYTES_MAX {
            let message =
                format!("the execution's events would be {bytes} bytes of at most {TOTAL_BYTES_MAX}");
            return Err(PublishError::TooLarge(message));
        }
        self.bytes = bytes;
        self.events.push(PublishedEvent { event: name, data });
        Ok(())
    }

    /// Takes at most `events_max` events, each with at most `data_bytes_max` bytes of data.
    pub(crate) fn new(events_max: u64, data_bytes_max: usize) -> Self {
        Self { events: Vec::new(), bytes: 0, events_max, data_bytes_max }
    }

    fn check_data(&self, data: &str) -> Result<(), PublishError> {
        let (bytes, max) = (data.len(), self.data_bytes_max);
        if bytes > max {
            return Err(PublishError::TooLarge(format!("the data is {bytes} bytes of at most {max}")));
        }
        json::check(data).map_err(|why| PublishError::InvalidData(format!("the data is {why}")))
    }

    /// The events in the order of their publication.
    pub(crate) fn into_events(self) -> Vec<PublishedEvent> {
        self.events
    }
}

fn invalid_name(event: &str) -> PublishError {
    let shown: String = event.chars().take(80).collect();
    let rule = "an event name is 1 to 200 bytes without white space, control characters or `*`";
    PublishError::InvalidName(format!("`{shown}` names no event: {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA_BYTES_MAX: usize = 1 << 18;

    fn json_of(bytes: usize) -> String {
        format!("\"{}\"", "x".repeat(bytes - 2))
    }

    #[test]
    fn a_published_event_waits_in_order() {
        let mut outbox = Outbox::new(2, 100);
        assert!(outbox.add("a:b", None).is_ok());
        assert!(outbox.add("c", Some("{\"x\": 1}".to_owned())).is_ok());
        assert!(matches!(outbox.add("d", None), Err(PublishError::TooMany(_))));
        let events = outbox.into_events();
        assert_eq!(events.iter().map(|event| event.event.as_str()).collect::<Vec<_>>(), ["a:b", "c"]);
        assert_eq!(events[1].data.as_deref(), Some("{\"x\": 1}"));
    }

    #[test]
    fn a_refused_event_leaves_nothing() {
        let mut outbox = Outbox::new(100, DATA_BYTES_MAX);
        for name in ["", "a b", "a*"] {
            assert!(matches!(outbox.add(name, None), Err(PublishError::InvalidName(_))));
        }
        let broken = outbox.add("a", Some("{".to_owned()));
        assert!(matches!(broken, Err(PublishError::InvalidData(_))));
        let large = outbox.add("a", Some(json_of(DATA_BYTES_MAX + 1)));
        assert!(matches!(large, Err(PublishError::TooLarge(_))));
        assert!(outbox.add("a", Some(json_of(DATA_BYTES_MAX))).is_ok());
        assert_eq!(outbox.into_events().len(), 1);
    }

    #[test]
    fn all_events_together_have_a_limit() {
        let mut outbox = Outbox::new(100, DATA_BYTES_MAX);
        let mut published = 0;
        while outbox.add("a", Some(json_of(DATA_BYTES_MAX))).is_ok() {
            published += 1;
        }
        assert_eq!(published, TOTAL_BYTES_MAX / (DATA_BYTES_MAX + 1));
    }
}
