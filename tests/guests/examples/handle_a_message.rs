//! A component for wasmCloud's messaging, made from that contract's WIT. Sends each message on, its subject before it; fails
//! if the host refuses that.

#![expect(
    missing_docs,
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "the generated exports of a component"
)]

wit_bindgen::generate!({ path: "../../wit/hosts/wasmcloud-messaging" });

use exports::wasmcloud::messaging::handler::Guest;
use wasmcloud::messaging::consumer;
use wasmcloud::messaging::types::BrokerMessage;

struct Component;

impl Guest for Component {
    fn handle_message(message: BrokerMessage) -> Result<(), String> {
        println!("{} {:?}", message.subject, message.reply_to);
        if message.subject == "ask" {
            consumer::request("anybody", b"1", 1000)?;
        }
        let subject = format!("heard:{}", message.subject);
        consumer::publish(&BrokerMessage { subject, ..message })
    }
}

export!(Component);
