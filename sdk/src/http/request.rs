//! Making a request.

use std::time::Duration;

use serde::Serialize;

use super::{Error, ErrorKind, Response, redirect};

/// Redirects that are followed unless a request says otherwise.
const REDIRECTS_MAX: u32 = 5;
/// Headers that are about one connection, which is the host's business.
const FORBIDDEN: [&str; 11] = [
    "connection",
    "content-length",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A request that is being made.
///
/// ```
/// use std::time::Duration;
///
/// use innkeeper_sdk::{Failure, http};
/// use serde_json::json;
///
/// fn tell(order: u64) -> Result<(), Failure> {
///     http::post("https://hooks.example.com/orders")
///         .header("authorization", "Bearer of good news")
///         .json(&json!({"order": order}))
///         .timeout(Duration::from_secs(5))
///         .send()
///         .map_err(http::Error::failure)?
///         .expect_success()?;
///     Ok(())
/// }
/// # use innkeeper_sdk::testing::Scenario;
/// # assert_eq!(Scenario::new().answer(http::Response::new(204)).enter(|| tell(7)).result, Ok(()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) timeout: Option<Duration>,
    pub(super) redirects_max: u32,
    problem: Option<String>,
}

impl Request {
    /// A request with this method, such as `PUT`, for this URL.
    ///
    /// ```
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let scenario = Scenario::new().answer(http::Response::new(204));
    /// let report = scenario.enter(|| http::Request::new("DELETE", "https://example.com/7").send());
    /// assert_eq!(report.requests[0].method, "DELETE");
    /// ```
    #[must_use]
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
            redirects_max: REDIRECTS_MAX,
            problem: None,
        }
    }

    /// A request to have a URL process a body.
    ///
    /// ```
    /// use innkeeper_sdk::http::{self, Request};
    ///
    /// assert_eq!(Request::post("https://example.com/"), http::post("https://example.com/"));
    /// ```
    #[must_use]
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header. Those that are about the connection, such as `host` and `content-length`, are the host's
    /// business: [`Request::send`] refuses them.
    ///
    /// ```
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let scenario = Scenario::new().answer(http::Response::new(200));
    /// let report =
    ///     scenario.enter(|| http::get("https://example.com/").header("Accept", "text/plain").send());
    /// assert_eq!(report.requests[0].header("accept"), Some("text/plain"));
    /// ```
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Takes this body. Its `content-type` is for [`Request::header`] to say.
    ///
    /// ```
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let scenario = Scenario::new().answer(http::Response::new(200));
    /// let report = scenario.enter(|| http::post("https://example.com/").body([1, 2]).send());
    /// assert_eq!(report.requests[0].body, [1, 2]);
    /// ```
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Takes a value as a JSON body, and says so in `content-type` unless that is set already.
    ///
    /// ```
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let scenario = Scenario::new().answer(http::Response::new(200));
    /// let report = scenario.enter(|| http::post("https://example.com/").json(&[1, 2]).send());
    /// assert_eq!(report.requests[0].text(), "[1,2]");
    /// assert_eq!(report.requests[0].header("content-type"), Some("application/json"));
    /// ```
    #[must_use]
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.body = body,
            Err(error) => self.problem = Some(format!("the body cannot be written as JSON: {error}")),
        }
        if !self.headers.iter().any(|(name, _)| name == "content-type") {
            self = self.header("content-type", "application/json");
        }
        self
    }

    /// How long everything may take, redirects and the answer's body included. The host has limits of its own: 10
    /// seconds to connect, 30 seconds for an answer to begin, and the whole execution's.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let slow = http::Response::new(200).after(Duration::from_secs(6));
    /// let request = http::get("https://example.com/").timeout(Duration::from_secs(5));
    /// let result = Scenario::new().answer(slow).enter(|| request.send()).result;
    /// assert_eq!(result.map_err(|error| error.kind()), Err(http::ErrorKind::Timeout));
    /// ```
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many redirects are followed, each as a request of its own that needs its own grant. At first 5. With 0 the
    /// redirect itself is the answer. Of the headers, another origin is sent only those that describe the content.
    ///
    /// ```
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let moved = http::Response::new(301).with_header("location", "/there");
    /// let request = http::get("https://example.com/").redirects(0);
    /// let result = Scenario::new().answer(moved).enter(|| request.send()).result;
    /// assert_eq!(result.map(|answer| answer.status), Ok(301));
    /// ```
    #[must_use]
    pub fn redirects(mut self, max: u32) -> Self {
        self.redirects_max = max;
        self
    }

    /// Sends it and waits for the whole answer. An answer with whatever status is an answer;
    /// [`Response::expect_success`] tells them apart.
    ///
    /// ```
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let scenario = Scenario::new().answer(http::Response::new(404));
    /// let result = scenario.enter(|| http::get("https://example.com/").send()).result;
    /// assert_eq!(result.map(|answer| answer.status), Ok(404));
    /// ```
    ///
    /// # Errors
    /// There is no answer; the error says why and what to do.
    pub fn send(self) -> Result<Response, Error> {
        match self.problem() {
            Some(problem) => Err(Error::because(ErrorKind::Invalid, &self.name(), &problem)),
            None => redirect::follow(self),
        }
    }

    /// What it is called in messages. A query may hold what is nobody's business.
    pub(super) fn name(&self) -> String {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        format!("{} {url}", self.method)
    }

    /// What is wrong with it, as far as that shows before it is sent.
    fn problem(&self) -> Option<String> {
        let is_token = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        };
        if !is_token(&self.method) {
            return Some(format!("`{}` is no method", self.method));
        }
        for (name, value) in &self.headers {
            if !is_token(name) {
                return Some(format!("`{name}` is no name of a header"));
            }
            if FORBIDDEN.contains(&name.as_str()) {
                return Some(format!("the header `{name}` is set by the host"));
            }
            if value.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
                return Some(format!("the value of the header `{name}` has control characters"));
            }
        }
        self.problem.clone()
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::http::get;
    use crate::testing::Scenario;

    #[test]
    fn what_is_wrong_is_told_before_anything_is_sent() {
        for (request, expected) in [
            (get("example.com"), "a URL begins with `https://`"),
            (Request::new("G T", "https://a.org"), "`G T` is no method"),
            (get("https://a.org").header("x y", "1"), "`x y` is no name"),
            (get("https://a.org").header("Host", "b.org"), "`host` is set by the host"),
            (get("https://a.org").header("x", "a\r\nb: c"), "control characters"),
            (get("https://a.org").json(&HashMap::from([(vec![1], 2)])), "cannot be written as JSON"),
        ] {
            let report = Scenario::new().answer(Response::new(200)).enter(|| request.send());
            let error = report.result.expect_err("a refusal");
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(expected), "{error}");
            assert!(report.requests.is_empty());
        }
    }

    #[test]
    fn a_query_is_in_no_message() {
        let report = Scenario::new().enter(|| get("https://a.org/x?key=secret").send());
        let message = report.result.expect_err("there is no answer").to_string();
        assert!(message.starts_with("GET https://a.org/x: ") && !message.contains("secret"), "{message}");
    }
}
