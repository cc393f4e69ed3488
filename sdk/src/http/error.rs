//! Why a request has no answer.

use std::fmt;

use crate::Failure;

/// Why a request has no answer. Its text says what was asked, what went wrong and what to do.
///
/// `?` makes it a failure that may be tried again; [`Error::failure`] one that fits its kind.
///
/// ```
/// use innkeeper_sdk::http;
///
/// let error = http::get("example.com").send().expect_err("a refusal");
/// assert!(error.to_string().contains("a URL begins with `https://`"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What kind of thing went wrong.
///
/// ```
/// use innkeeper_sdk::http::{self, ErrorKind};
/// use innkeeper_sdk::testing::Scenario;
///
/// let scenario = Scenario::new().answer_error(ErrorKind::Timeout);
/// let result = scenario.enter(|| http::get("https://example.com/").send()).result;
/// assert_eq!(result.map_err(|error| error.kind()), Err(ErrorKind::Timeout));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request itself is wrong: its URL, a header, its size.
    Invalid,
    /// No grant allows it.
    Denied,
    /// The name leads to an address that plugins may not reach.
    AddressRefused,
    /// There is no such name, or nobody answers there.
    Unreachable,
    /// It took longer than it may.
    Timeout,
    /// There is no secure connection: a certificate, for instance, is not valid.
    Insecure,
    /// The execution has made as many requests, or moved as many bytes, as it may.
    Limit,
    /// The other side does not speak HTTP as it should, or ended the connection.
    Protocol,
    /// The answer redirects too often, or to where it must not.
    Redirect,
    /// The answer's body is not what was expected.
    Body,
}

impl ErrorKind {
    /// What to know or do about it.
    fn explanation(self) -> &'static str {
        match self {
            Self::Invalid => "the request is not valid",
            Self::Denied => {
                "no grant allows it; the execution's log names the `innkeeper plugin allow` command that does"
            }
            Self::AddressRefused => {
                "it leads to an address that plugins may not reach; the execution's log says more"
            }
            Self::Unreachable => "nobody answers there; check the name and the port",
            Self::Timeout => "it took too long; `timeout` gives it more, up to what the task may take",
            Self::Insecure => "there is no secure connection; the execution's log says more",
            Self::Limit => {
                "the execution's limit of requests or bytes is reached; make fewer or smaller ones"
            }
            Self::Protocol => "the connection ended early, or what came over it is not valid HTTP",
            Self::Redirect => "it redirects too often, or to where it must not",
            Self::Body => "the answer's body is not what was expected",
        }
    }
}

impl Error {
    /// An error of this kind for a request called `what`, such as `GET https://example.com/`.
    // Not inlined, as it is called from many places and rarely: components are to stay small.
    #[cold]
    #[inline(never)]
    pub(super) fn new(kind: ErrorKind, what: &str) -> Self {
        Self { kind, message: [what, ": ", kind.explanation()].concat() }
    }

    /// The same, with what there is to say beyond its kind.
    #[cold]
    #[inline(never)]
    pub(super) fn because(kind: ErrorKind, what: &str, cause: &str) -> Self {
        Self { kind, message: [what, ": ", kind.explanation(), ": ", cause].concat() }
    }

    /// What kind of thing went wrong.
    ///
    /// ```
    /// use innkeeper_sdk::http;
    ///
    /// let error = http::get("example.com").send().expect_err("a refusal");
    /// assert_eq!(error.kind(), http::ErrorKind::Invalid);
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The failure that fits: a permanent one if the same request can never succeed.
    ///
    /// ```
    /// use innkeeper_sdk::{Failure, http};
    ///
    /// let error = http::get("no URL").send().expect_err("a refusal");
    /// assert!(matches!(error.failure(), Failure::Permanent(_)));
    /// ```
    #[must_use]
    pub fn failure(self) -> Failure {
        match self.kind {
            ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::AddressRefused | ErrorKind::Redirect => {
                Failure::Permanent(self.message)
            }
            _ => Failure::Retry(self.message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
