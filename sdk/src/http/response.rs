//! Reading an answer.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, ErrorKind, date};
use crate::Failure;

/// How much of a body that does not fit is shown, in characters.
const EXCERPT_CHARS_MAX: usize = 200;

/// An answer, complete with its body.
///
/// ```
/// use innkeeper_sdk::http::Response;
///
/// let answer = Response::new(200).with_header("X-Left", "7").with_body("here");
/// assert_eq!((answer.header("x-left"), answer.text().as_ref()), (Some("7"), "here"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, such as 200.
    pub status: u16,
    /// The headers in order, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long it took from the request to the end of the body, redirects included.
    pub elapsed: Duration,
    /// What asked for it, such as `GET https://example.com/`.
    pub(super) request: String,
}

impl Response {
    /// An answer with this status, and nothing else. For tests, as what builds on it.
    ///
    /// ```
    /// assert_eq!(innkeeper_sdk::http::Response::new(503).status, 503);
    /// ```
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            elapsed: Duration::ZERO,
            request: String::new(),
        }
    }

    /// The answer with one more header.
    ///
    /// ```
    /// let answer = innkeeper_sdk::http::Response::new(200).with_header("X-One", "1");
    /// assert_eq!(answer.headers, [("x-one".to_owned(), "1".to_owned())]);
    /// ```
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The answer with this body.
    ///
    /// ```
    /// assert_eq!(innkeeper_sdk::http::Response::new(200).with_body("here").body, b"here");
    /// ```
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The answer with this value as its JSON body.
    ///
    /// ```
    /// let answer = innkeeper_sdk::http::Response::new(200).with_json(&[1, 2]);
    /// assert_eq!(answer.text(), "[1,2]");
    /// ```
    ///
    /// # Panics
    /// If it cannot be written as JSON.
    #[must_use]
    pub fn with_json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("a scripted answer can be written as JSON");
        self.with_header("content-type", "application/json").with_body(body)
    }

    /// The answer after this time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let answer = innkeeper_sdk::http::Response::new(200).after(Duration::from_secs(1));
    /// assert_eq!(answer.elapsed.as_millis(), 1000);
    /// ```
    #[must_use]
    pub fn after(mut self, elapsed: Duration) -> Self {
        self.elapsed = elapsed;
        self
    }

    /// Whether the status is from 200 to 299.
    ///
    /// ```
    /// use innkeeper_sdk::http::Response;
    ///
    /// assert!(Response::new(204).is_success() && !Response::new(304).is_success());
    /// ```
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first value of a header; letter case does not matter.
    ///
    /// ```
    /// let answer = innkeeper_sdk::http::Response::new(200).with_header("etag", "x");
    /// assert_eq!((answer.header("ETag"), answer.header("age")), (Some("x"), None));
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text. What is not UTF-8 in it is replaced.
    ///
    /// ```
    /// assert_eq!(innkeeper_sdk::http::Response::new(200).with_body("here").text(), "here");
    /// ```
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body, read as JSON.
    ///
    /// ```
    /// let answer = innkeeper_sdk::http::Response::new(200).with_body("[1, 2]");
    /// assert_eq!(answer.json::<Vec<u8>>(), Ok(vec![1, 2]));
    /// assert!(answer.json::<String>().is_err());
    /// ```
    ///
    /// # Errors
    /// It does not fit `T`; the error shows how it begins.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let cause = format!("{error}; it begins with {}", self.excerpt());
            Error::because(ErrorKind::Body, &self.request, &cause)
        })
    }

    /// How long the server asks to wait, by its header `retry-after`: in seconds, or until a time that is compared with
    /// the server's own `date`. `None` if it does not ask, or does not say it clearly.
    ///
    /// ```
    /// let answer = innkeeper_sdk::http::Response::new(429).with_header("retry-after", "7");
    /// assert_eq!(answer.retry_after().map(|wait| wait.as_secs()), Some(7));
    /// ```
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let wait = date::seconds(text)? - date::seconds(self.header("date")?)?;
        Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
    }

    /// The answer if its status is from 200 to 299.
    ///
    /// ```
    /// use innkeeper_sdk::{Failure, http::Response};
    ///
    /// assert!(Response::new(200).expect_success().is_ok());
    /// assert!(matches!(Response::new(503).expect_success(), Err(Failure::Retry(_))));
    /// assert!(matches!(Response::new(404).expect_success(), Err(Failure::Permanent(_))));
    /// ```
    ///
    /// # Errors
    /// Else a failure: one that may be tried again for 408, 425, 429 and from 500 on, not before
    /// [`Response::retry_after`] has passed; a permanent one for all others.
    pub fn expect_success(self) -> Result<Self, Failure> {
        if self.is_success() {
            return Ok(self);
        }
        let message = format!("{} answered {}: {}", self.request, self.status, self.excerpt());
        Err(match (self.status, self.retry_after()) {
            (408 | 425 | 429 | 500.., Some(delay)) => Failure::retry_after(delay, message),
            (408 | 425 | 429 | 500.., None) => Failure::retry(message),
            _ => Failure::permanent(message),
        })
    }

    fn excerpt(&self) -> String {
        let text = self.text();
        let shown: String = text.chars().take(EXCERPT_CHARS_MAX).collect();
        match shown.len() {
            0 => "nothing".to_owned(),
            length if length < text.len() => format!("{shown}… ({} bytes in all)", self.body.len()),
            _ => shown,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_read() {
        let answer = Response::new(200).with_json(&json!([1, 2])).with_header("X-One", "1");
        assert_eq!(answer.json::<Vec<u8>>(), Ok(vec![1, 2]));
        assert_eq!((answer.header("x-ONE"), answer.text().as_ref()), (Some("1"), "[1,2]"));
        let error = answer.json::<String>().expect_err("no string");
        assert_eq!(error.kind(), ErrorKind::Body);
        assert!(error.to_string().contains("it begins with [1,2]"), "{error}");
    }

    #[test]
    fn a_failure_is_as_final_as_the_status() {
        let failure = |answer: Response| answer.expect_success().map(|_| ());
        assert_eq!(failure(Response::new(204)), Ok(()));
        for status in [408, 425, 429, 500, 503, 599] {
            assert!(matches!(failure(Response::new(status)), Err(Failure::Retry(_))), "{status}");
        }
        for status in [301, 400, 404, 410] {
            assert!(matches!(failure(Response::new(status)), Err(Failure::Permanent(_))), "{status}");
        }
        let busy = Response::new(429).with_header("retry-after", "7").with_body("busy");
        let expected = Failure::retry_after(Duration::from_secs(7), " answered 429: busy");
        assert_eq!(failure(busy), Err(expected));
    }

    #[test]
    fn a_time_to_try_again_is_compared_with_the_servers_clock() {
        let until = |time: &str, date: &str| {
            Response::new(503).with_header("retry-after", time).with_header("date", date).retry_after()
        };
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(until("Sun, 06 Nov 1994 08:50:07 GMT", date), Some(Duration::from_secs(30)));
        assert_eq!(until("Sun, 06 Nov 1994 08:00:00 GMT", date), Some(Duration::ZERO));
        assert_eq!(until("soon", date), None);
        assert_eq!(Response::new(503).retry_after(), None);
    }
}
