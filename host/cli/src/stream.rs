//! The server's stream of events, and going on with it when the connection is lost.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use crate::client::Client;
use crate::exit::Failure;

/// How long the stream may be silent: the server says every few seconds that it is there.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// The pause before a lost connection is made anew.
const PAUSE: Duration = Duration::from_secs(1);

/// How often it is tried in a row.
const TRIES_MAX: u32 = 30;

/// An event of the stream.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct StreamEvent {
    /// What it is: `ready`, `reset`, `event`, `task`, `execution`, `dropped`.
    pub(crate) name: String,
    /// What happened.
    pub(crate) data: Value,
}

/// A stream of some topics.
pub(crate) struct Stream<'a> {
    client: &'a Client,
    topics: Vec<(&'static str, String)>,
    response: Option<Response>,
    parser: Parser,
}

impl<'a> Stream<'a> {
    /// Begins to hear of the topics.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn open(client: &'a Client, topics: &[String]) -> Result<Self, Failure> {
        let topics: Vec<_> = topics.iter().map(|topic| ("topic", topic.clone())).collect();
        let response = client.open(&["stream"], &topics, None).await?;
        Ok(Self { client, topics, response: Some(response), parser: Parser::default() })
    }

    /// The next event. Goes on where it was when the connection is lost; then the event is `ready` again.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn next(&mut self) -> Result<StreamEvent, Failure> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(event);
            }
            let part = match &mut self.response {
                Some(response) => tokio::time::timeout(SILENCE_MAX, response.chunk()).await,
                None => Ok(Ok(None)),
            };
            if let Ok(Ok(Some(part))) = part {
                self.parser.push(&part);
            } else {
                self.open_again().await?;
            }
        }
    }

    async fn open_again(&mut self) -> Result<(), Failure> {
        eprintln!("the connection is lost; trying again");
        self.parser.forget_part();
        let mut tries = 1;
        loop {
            tokio::time::sleep(PAUSE).await;
            match self.client.open(&["stream"], &self.topics, self.parser.last.as_deref()).await {
                Err(Failure::Unreachable { .. }) if tries < TRIES_MAX => tries += 1,
                opened => {
                    self.response = Some(opened?);
                    return Ok(());
                }
            }
        }
    }
}

/// Finds events in what arrives.
#[derive(Debug, Default)]
struct Parser {
    bytes: Vec<u8>,
    /// The id to go on from.
    last: Option<String>,
}

impl Parser {
    fn push(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
    }

    /// An event that has not arrived whole does not count.
    fn forget_part(&mut self) {
        self.bytes.clear();
    }

    fn next(&mut self) -> Option<StreamEvent> {
        loop {
            let end = self.bytes.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
            if let Some(event) = self.read(&String::from_utf8_lossy(&block)) {
                return Some(event);
            }
        }
    }

    /// The event of a block of lines; `None` if it only sets something.
    fn read(&mut self, block: &str) -> Option<StreamEvent> {
        let (mut name, mut data) = (String::new(), String::new());
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.last = Some(value.to_owned()),
                "event" => value.clone_into(&mut name),
                "data" => data.extend([value, "\n"]),
                _ => {}
            }
        }
        let data = serde_json::from_str(&data).ok()?;
        Some(StreamEvent { name, data })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_found_however_they_are_cut() {
        let text = "retry: 2000\n\nid: 1-0\nevent: ready\ndata: {}\n\n: heartbeat\nid: 1-1\n\nid: 1-2\nevent: event\ndata: {\"a\":\ndata: 1}\n\n";
        let mut parser = Parser::default();
        let mut found = Vec::new();
        for byte in text.as_bytes() {
            parser.push(&[*byte]);
            found.extend(parser.next());
        }
        let named = |name: &str, data| StreamEvent { name: name.to_owned(), data };
        assert_eq!(found, [named("ready", json!({})), named("event", json!({"a": 1}))]);
        assert_eq!(parser.last.as_deref(), Some("1-2"));
    }
}
