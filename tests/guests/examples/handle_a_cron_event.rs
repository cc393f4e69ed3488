//! A component for Spin's cron trigger, made from that trigger's WIT. Prints its due time and its event; fails if the event
//! is `fail`.

#![expect(missing_docs, unsafe_code, reason = "the generated exports of a component")]

wit_bindgen::generate!({ path: "../../wit/hosts/spin-cron" });

struct Component;

impl Guest for Component {
    fn handle_cron_event(metadata: Metadata) -> Result<(), Error> {
        let event = std::env::var("INNKEEPER_EVENT");
        println!("due {}, event {event:?}", metadata.timestamp);
        if event.as_deref() == Ok("fail") { Err(Error::Other("as asked".to_owned())) } else { Ok(()) }
    }
}

export!(Component);
