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
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text. What is not UTF-8 in it is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Scenario {
    /// The next request that has no answer yet gets this one. What comes of the requests is in
    /// [`Report::requests`](crate::testing::Report::requests).
    #[must_use]
    pub fn answer(mut self, answer: Response) -> Self {
        self.http.answers.push_back(Ok(answer));
        self
    }

    /// The next request that has no answer yet fails in this way.
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
