//! What an answer means for the execution that it is the result of.

use innkeeper_model::time::Timestamp;

use crate::bindings::exports::innkeeper::plugin::handler::Failure;
use crate::json;

/// Characters of a body that are quoted in a failure's message.
const QUOTED_MAX: usize = 500;

/// An answer of the guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Answer {
    status: u16,
    content_type: Option<String>,
    retry_after: Option<String>,
    /// As much of the body as an output may have.
    body: Vec<u8>,
    /// Bytes of the whole body.
    bytes: u64,
    is_cut: bool,
}

/// What comes of it.
#[derive(Debug)]
pub(super) enum Meaning {
    /// Success, with this output.
    Output(String),
    /// Success without output, and perhaps why.
    NoOutput(Option<String>),
    /// The body, of so many bytes, is longer than an output may be.
    TooLarge(u64),
    /// A failure.
    Failure(Failure),
}

impl Answer {
    /// An answer whose body is still to come.
    pub(super) fn new(status: u16, content_type: Option<String>, retry_after: Option<String>) -> Self {
        Self { status, content_type, retry_after, ..Self::default() }
    }

    /// Takes a piece of the body, and keeps at most `bytes_max` of all.
    pub(super) fn take(&mut self, piece: &[u8], bytes_max: u64) {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        let room = usize::try_from(bytes_max).unwrap_or(usize::MAX).saturating_sub(self.body.len());
        self.body.extend_from_slice(&piece[..piece.len().min(room)]);
        self.is_cut |= piece.len() > room;
    }

    /// What it means at `now`.
    pub(super) fn meaning(&self, now: Timestamp) -> Meaning {
        let status = self.status;
        let body = String::from_utf8_lossy(&self.body);
        if (200..300).contains(&status) {
            return self.output(body.trim());
        }
        let quoted: String = body.trim().chars().take(QUOTED_MAX).collect();
        let message = if quoted.is_empty() {
            format!("the handler answered with status {status}")
        } else {
            format!("the handler answered with status {status}: {quoted}")
        };
        Meaning::Failure(match (status, self.retry_after_ms(now)) {
            (408 | 425 | 429 | 500..=599, None) => Failure::Retry(message),
            (408 | 425 | 429 | 500..=599, Some(millis)) => Failure::RetryAfter((millis, message)),
            _ => Failure::Permanent(message),
        })
    }

    fn output(&self, text: &str) -> Meaning {
        if self.is_cut {
            return Meaning::TooLarge(self.bytes);
        }
        if text.is_empty() {
            return Meaning::NoOutput(None);
        }
        let declared = self.content_type.as_deref().unwrap_or("no content type");
        let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_declared = essence == "application/json" || essence.ends_with("+json");
        // What says it is JSON and is not is a fault, and is named like any output that is none.
        if is_declared || json::check(text).is_ok() {
            return Meaning::Output(text.to_owned());
        }
        let (status, bytes) = (self.status, self.bytes);
        Meaning::NoOutput(Some(format!(
            "answered with status {status} and {bytes} bytes ({declared}) that are not JSON, so there is no output"
        )))
    }

    /// Milliseconds from `now` to the time that `Retry-After` says, in seconds or as a date.
    fn retry_after_ms(&self, now: Timestamp) -> Option<u64> {
        let text = self.retry_after.as_deref()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(seconds.saturating_mul(1000));
        }
        let since_epoch = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        let at = i64::try_from(since_epoch.as_millis()).ok()?;
        Some(u64::try_from(at.saturating_sub(now.as_millis())).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &str) -> Answer {
        let mut answer = Answer { status, content_type: Some(content_type.to_owned()), ..Answer::default() };
        answer.take(body.as_bytes(), 100);
        answer
    }

    fn meaning(answer: &Answer) -> String {
        match answer.meaning(Timestamp::MIN) {
            Meaning::Output(text) => format!("output {text}"),
            Meaning::NoOutput(None) => "nothing".to_owned(),
            Meaning::NoOutput(Some(note)) => note,
            Meaning::TooLarge(bytes) => format!("too large {bytes}"),
            Meaning::Failure(Failure::Retry(message)) => format!("retry {message}"),
            Meaning::Failure(Failure::RetryAfter((millis, message))) => format!("after {millis} {message}"),
            Meaning::Failure(Failure::Permanent(message)) => format!("permanent {message}"),
        }
    }

    #[test]
    fn a_success_has_json_as_output() {
        for (body, content_type, expected) in [
            (" {\"a\": 1}\n", "text/plain", "output {\"a\": 1}"),
            ("", "application/json", "nothing"),
            ("hello", "application/json; charset=utf-8", "output hello"),
            ("hello", "application/problem+json", "output hello"),
        ] {
            assert_eq!(meaning(&answer(201, content_type, body)), expected);
        }
        assert!(
            meaning(&answer(200, "text/plain", "hello")).contains("5 bytes (text/plain) that are not JSON")
        );
        assert_eq!(meaning(&answer(200, "text/plain", &"x".repeat(101))), "too large 101");
        assert_eq!(
            meaning(&answer(200, "text/plain", &"1".repeat(100))),
            format!("output {}", "1".repeat(100))
        );
    }

    #[test]
    fn a_status_says_whether_to_try_again() {
        for status in [408, 425, 429, 500, 503, 599] {
            let expected = format!("retry the handler answered with status {status}: busy");
            assert_eq!(meaning(&answer(status, "", "busy")), expected);
        }
        for status in [300, 304, 400, 404, 410, 600] {
            let expected = format!("permanent the handler answered with status {status}");
            assert_eq!(meaning(&answer(status, "", "")), expected);
        }
    }

    #[test]
    fn the_wish_for_a_later_attempt_is_in_seconds_or_a_date() {
        let now = Timestamp::from_millis(784_111_777_000 - 1500);
        let after = |text: &str| {
            Answer { status: 503, retry_after: Some(text.to_owned()), ..Answer::default() }
                .retry_after_ms(now)
        };
        assert_eq!(after("120"), Some(120_000));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(1500));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0), "it is over");
        assert_eq!(after("soon"), None);
        assert_eq!(after("99999999999999999999"), None);
    }
}
