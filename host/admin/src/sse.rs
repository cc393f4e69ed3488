//! Server-sent events, as text.

use std::fmt::Write as _;

use serde::Serialize;

/// How long a client that lost its connection waits before it comes back, in milliseconds.
pub(crate) const RETRY_MS: u32 = 2000;

/// Appends an event. `id` is what a client that comes back says as `Last-Event-ID`.
pub(crate) fn event(out: &mut String, name: &str, id: impl std::fmt::Display, data: &impl Serialize) {
    // Strings and numbers can always be written.
    let json = serde_json::to_string(data).unwrap_or_default();
    let _ = writeln!(out, "id: {id}\nevent: {name}");
    // What a handler gave as JSON may have line ends between its tokens.
    for line in json.split(['\n', '\r']) {
        let _ = writeln!(out, "data: {line}");
    }
    out.push('\n');
}

/// Appends a comment that also says how far the stream is.
pub(crate) fn heartbeat(out: &mut String, id: impl std::fmt::Display) {
    let _ = write!(out, ": heartbeat\nid: {id}\n\n");
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn data_with_line_ends_is_still_one_event() {
        let mut out = String::new();
        let json = RawValue::from_string("{\"a\":\r\n1}".to_owned()).expect("JSON");
        event(&mut out, "event", "1-2", &json);
        assert_eq!(out, "id: 1-2\nevent: event\ndata: {\"a\":\ndata: \ndata: 1}\n\n");
    }
}
