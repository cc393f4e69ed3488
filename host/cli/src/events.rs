//! `event`: publishing and watching.

use serde_json::json;

use crate::args::{EventVerb, Publish};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Output, count, json_text};
use crate::{event_file, follow};

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: EventVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        EventVerb::Publish(publish) => publish_one(publish, client, output).await,
        EventVerb::Tail(tail) => follow::tail(&tail.pattern, tail.count, client, output).await,
    }
}

async fn publish_one(publish: Publish, client: &Client, output: Output) -> Result<(), Failure> {
    if let Some(path) = &publish.file {
        return event_file::publish(path, publish.idempotency_key.as_deref(), client, output).await;
    }
    let mut body = json!({"event": publish.name});
    if let Some(data) = publish.body.or(publish.data) {
        body["data"] = data;
    }
    if let Some(key) = publish.idempotency_key {
        body["idempotencyKey"] = key.into();
    }
    let answer = client.post(&["events"], Some(&body)).await?;
    output.done(&answer, |answer| {
        if answer["repeated"] == true {
            return format!(
                "published before with this key, as {}: nothing is done again",
                json_text(&answer["eventId"])
            );
        }
        let runs = usize::try_from(answer["runs"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
        format!("published as {}: {}", json_text(&answer["eventId"]), count(runs, "run"))
    })?;
    Ok(())
}
