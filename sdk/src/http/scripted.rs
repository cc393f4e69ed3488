//! HTTP in a native test: requests are recorded, and answered as the scenario says.

use std::collections::VecDeque;
use std::time::Duration;

use super::url::Url;
use super::{Error, ErrorKind, Request, Response};
use crate::testing::{Scenario, on_stage};

/// The answers that are left, and the requests that were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    answers: VecDeque<Result<Response, ErrorKind>>,
    pub(crate) requests: Vec<SentRequest>,
}

/// A request that a handler made.
///
/// ```
/// use innkeeper_sdk::{http, testing::Scenario};
///
/// let scenario = Scenario::new().answer(http::Response::new(200));
/// let report = scenario.enter(|| http::get("https://example.com/a").send());
/// assert_eq!(report.requests[0].url, "https://example.com/a");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRequest {
    /// Its method, such as `GET`.
    pub method: String,
    /// Its URL.
    pub url: String,
    /// Its headers in order, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// How long it may take; `None` if the handler did not say.
    pub timeout: Option<Duration>,
}

impl SentRequest {
    /// The first value of a header; letter case does not matter.
    ///
    /// ```
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let scenario = Scenario::new().answer(http::Response::new(200));
    /// let report = scenario.enter(|| http::post("https://example.com/").json(&1).send());
    /// assert_eq!(report.requests[0].header("Content-Type"), Some("application/json"));
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
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let scenario = Scenario::new().answer(http::Response::new(200));
    /// let report = scenario.enter(|| http::post("https://example.com/").body("hello").send());
    /// assert_eq!(report.requests[0].text(), "hello");
    /// ```
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Scenario {
    /// The next request that has no answer yet gets this one. What comes of the requests is in
    /// [`Report::requests`](crate::testing::Report::requests).
    ///
    /// ```
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let scenario = Scenario::new().answer(http::Response::new(200).with_body("here"));
    /// let result = scenario.enter(|| http::get("https://example.com/").send()).result;
    /// assert_eq!(result.map(|answer| answer.body), Ok(b"here".to_vec()));
    /// ```
    #[must_use]
    pub fn answer(mut self, answer: Response) -> Self {
        self.http.answers.push_back(Ok(answer));
        self
    }

    /// The next request that has no answer yet fails in this way.
    ///
    /// ```
    /// use innkeeper_sdk::{http, testing::Scenario};
    ///
    /// let scenario = Scenario::new().answer_error(http::ErrorKind::Denied);
    /// assert!(scenario.enter(|| http::get("https://example.com/").send()).result.is_err());
    /// ```
    #[must_use]
    pub fn answer_error(mut self, kind: ErrorKind) -> Self {
        self.http.answers.push_back(Err(kind));
        self
    }
}

pub(super) fn exchange(request: &Request, url: &Url, timeout: Option<Duration>) -> Result<Response, Error> {
    let sent = SentRequest {
        method: request.method.clone(),
        url: url.to_string(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        timeout,
    };
    let answer = on_stage(|script| {
        script.requests.push(sent);
        script.answers.pop_front()
    });
    match answer.flatten() {
        Some(Ok(answer)) if timeout.is_some_and(|timeout| timeout < answer.elapsed) => {
            Err(Error::new(ErrorKind::Timeout, &request.name()))
        }
        Some(answer) => answer.map_err(|kind| Error::new(kind, &request.name())),
        None => {
            let remedy = "the scenario has no answer for it: add one with `Scenario::answer`";
            Err(Error::because(ErrorKind::Unreachable, &request.name(), remedy))
        }
    }
}
