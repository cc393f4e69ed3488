//! `wasmcloud:messaging/consumer`: a message that is sent is an event that is published.

use wasmtime::component::{HasData, Linker};

use self::bindings::wasmcloud::messaging::consumer;
use self::bindings::wasmcloud::messaging::types::{self, BrokerMessage};
use crate::bindings::innkeeper::plugin::events::{self, PublishError};
use crate::capability::events::Publisher;
use crate::state::State;

/// The interface that is offered. The draft has no later versions.
pub(crate) const NAME: &str = "wasmcloud:messaging/consumer@0.2.0";

/// Types and traits of the whole contract, the handler's too.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/hosts/wasmcloud-messaging",
        exports: { default: async },
    });
}

struct Messaging;

impl HasData for Messaging {
    type Data<'a> = Publisher<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    consumer::add_to_linker::<State, Messaging>(linker, |state| Publisher::of(state.enter()))
}

impl types::Host for Publisher<'_> {}

impl consumer::Host for Publisher<'_> {
    fn request(
        &mut self,
        subject: String,
        _body: Vec<u8>,
        _timeout_ms: u32,
    ) -> Result<BrokerMessage, String> {
        Err(format!("`{subject}` is not asked: this host publishes events, which nobody answers"))
    }

    fn publish(&mut self, message: BrokerMessage) -> Result<(), String> {
        let body = String::from_utf8(message.body);
        let body = body.map_err(|_| "the body is not text: an event's data is JSON".to_owned())?;
        let data = if body.is_empty() { None } else { Some(body) };
        // Where an answer is expected goes unheeded: there is none.
        events::Host::publish(self, message.subject, data).map_err(|error| match error {
            PublishError::InvalidName(why)
            | PublishError::InvalidData(why)
            | PublishError::TooLarge(why)
            | PublishError::TooMany(why) => why,
        })
    }
}
