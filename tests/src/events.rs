//! A client of server-sent events, on a socket of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::TestHost;

/// Longer than anything takes; only a failing test waits for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// One event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamEvent {
    /// What to come back with.
    pub id: String,
    /// What it is.
    pub name: String,
    /// What happened.
    pub data: Value,
}

/// A stream that is read.
pub struct EventStream {
    lines: BufReader<TcpStream>,
}

impl EventStream {
    /// Opens a stream, after `last` if that is given, and reads its first event, `ready`.
    ///
    /// # Panics
    /// If the host does not open it.
    #[must_use]
    pub fn open(host: &TestHost, topics: &[&str], last: Option<&str>) -> Self {
        let address = host.url().trim_start_matches("http://");
        let mut socket = TcpStream::connect(address).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let query = topics.iter().map(|topic| format!("topic={topic}")).collect::<Vec<_>>().join("&");
        let last = last.map_or_else(String::new, |last| format!("Last-Event-ID: {last}\r\n"));
        let request = format!("GET /v1/stream?{query} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n");
        socket.write_all(request.as_bytes()).expect("a request is sent");
        let mut stream = Self { lines: BufReader::new(socket) };
        assert_eq!(stream.line().as_deref(), Some("HTTP/1.1 200 OK"));
        while stream.line().is_some_and(|line| !line.is_empty()) {}
        assert_eq!(stream.next().map(|event| event.name).as_deref(), Some("ready"));
        stream
    }

    /// The next event; `None` at the end of the stream, in order or not. Heartbeats are none.
    #[expect(clippy::should_implement_trait, reason = "it blocks, and nobody iterates")]
    pub fn next(&mut self) -> Option<StreamEvent> {
        let mut event = StreamEvent::default();
        let mut data = String::new();
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut event.id),
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("data", json)) => data.push_str(json),
                _ if line.is_empty() && !event.name.is_empty() => {
                    event.data = serde_json::from_str(&data).expect("data is JSON");
                    return Some(event);
                }
                // The sizes of chunks, comments, and the ends of blocks that are no events.
                _ => {}
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).ok().filter(|read| *read > 0);
        read.map(|_| line.trim_end().to_owned())
    }
}
