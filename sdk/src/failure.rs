//! How a handler says that it did not do its work.

use std::fmt::Display;
use std::time::Duration;

/// Why an execution did not do its work, and whether trying again makes sense.
///
/// Anything that can be shown (an error, a `String`, a `&str`) becomes a [`Failure::Retry`] through `?`; a
/// failure that must not be tried again is made by hand:
///
/// ```
/// use innkeeper_sdk::Failure;
///
/// fn port(text: &str) -> Result<u16, Failure> {
///     let port = text.parse().map_err(Failure::permanent)?;
///     if port == 0 { Err("the port is not chosen yet")? }
///     Ok(port)
/// }
///
/// assert!(matches!(port("http"), Err(Failure::Permanent(_))));
/// assert_eq!(port("0"), Err(Failure::retry("the port is not chosen yet")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may work later: the task's retry policy decides whether and when there is another attempt.
    Retry(String),
    /// It may work later, but not before this time from now has passed; the host counts whole milliseconds,
    /// rounded up.
    RetryAfter(Duration, String),
    /// It can never work: the run ends as failed at once, whatever the retry policy says.
    Permanent(String),
}

impl Failure {
    /// A failure that may be tried again, with a message for people.
    ///
    /// ```
    /// let failure = innkeeper_sdk::Failure::retry("the queue is full");
    /// assert_eq!(failure.message(), "the queue is full");
    /// ```
    pub fn retry(message: impl Display) -> Self {
        Self::Retry(text(message))
    }

    /// A failure that may be tried again once `delay` has passed.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use innkeeper_sdk::Failure;
    ///
    /// let failure = Failure::retry_after(Duration::from_secs(30), "busy");
    /// assert_eq!(failure, Failure::RetryAfter(Duration::from_secs(30), "busy".to_owned()));
    /// ```
    pub fn retry_after(delay: Duration, message: impl Display) -> Self {
        Self::RetryAfter(delay, text(message))
    }

    /// A failure that must not be tried again.
    ///
    /// ```
    /// use innkeeper_sdk::Failure;
    ///
    /// assert_eq!(Failure::permanent("no such user"), Failure::Permanent("no such user".to_owned()));
    /// ```
    pub fn permanent(message: impl Display) -> Self {
        Self::Permanent(text(message))
    }

    /// The message for people.
    ///
    /// ```
    /// assert_eq!(innkeeper_sdk::Failure::permanent("no such user").message(), "no such user");
    /// ```
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Retry(message) | Self::RetryAfter(_, message) | Self::Permanent(message) => message,
        }
    }
}

// `Failure` itself must not implement `Display`, or this would overlap with the conversion of a type into
// itself.
impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

/// The alternate form, because error types that carry their causes show them there.
fn text(message: impl Display) -> String {
    format!("{message:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<u8, Failure> {
        Ok(text.parse::<u8>()?)
    }

    #[test]
    fn errors_become_failures_that_may_be_tried_again() {
        assert_eq!(parse("7"), Ok(7));
        assert_eq!(parse("x"), Err(Failure::Retry("invalid digit found in string".to_owned())));
        assert_eq!(Failure::from(String::from("busy")), Failure::retry("busy"));
    }

    #[test]
    fn every_kind_keeps_its_message() {
        let delay = Duration::from_millis(1500);
        assert_eq!(Failure::retry("a").message(), "a");
        assert_eq!(Failure::retry_after(delay, "b"), Failure::RetryAfter(delay, "b".to_owned()));
        assert_eq!(Failure::permanent(12).message(), "12");
    }

    #[test]
    fn causes_shown_in_the_alternate_form_are_kept() {
        struct Chain;
        impl Display for Chain {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(if out.alternate() { "outer: inner" } else { "outer" })
            }
        }
        assert_eq!(Failure::from(Chain).message(), "outer: inner");
    }
}
