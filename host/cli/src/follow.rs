//! Verbs that go on: `event tail` and `execution logs --follow`.

use innkeeper_model::id::ExecutionId;
use innkeeper_model::topic::TopicPattern;
use serde_json::Value;

use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Output, json_text, printable};
use crate::stream::Stream;

/// Prints events as they are published, until `count` of them were.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn tail(
    pattern: &TopicPattern,
    count: Option<u64>,
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let mut stream = Stream::open(client, &[format!("event:{pattern}")]).await?;
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        let event = stream.next().await?;
        match event.name.as_str() {
            "event" => {
                if !output.item(&event.data, line)? {
                    return Ok(());
                }
                left -= 1;
            }
            "reset" | "dropped" => eprintln!("some events were missed"),
            _ => {}
        }
    }
    Ok(())
}

fn line(event: &Value) -> String {
    let text = |key: &str| printable(&json_text(&event[key]));
    format!("{}  {}  {}", text("publishedAt"), text("event"), text("data"))
}

/// Waits until an execution has ended: what it logs is kept then.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn wait_for_end(id: &ExecutionId, client: &Client) -> Result<(), Failure> {
    let id = id.to_string();
    let execution = client.get(&["executions", &id], &[]).await?;
    if has_ended(&execution) {
        return Ok(());
    }
    let mut stream =
        Stream::open(client, &[format!("execution:{}", json_text(&execution["taskId"]))]).await?;
    loop {
        let event = stream.next().await?;
        let ended = match event.name.as_str() {
            "execution" => event.data["id"] == id.as_str(),
            // It may have ended before the stream began, or in what was missed of it.
            "ready" | "reset" | "dropped" => has_ended(&client.get(&["executions", &id], &[]).await?),
            _ => false,
        };
        if ended {
            return Ok(());
        }
    }
}

fn has_ended(execution: &Value) -> bool {
    execution["status"] != "running"
}
