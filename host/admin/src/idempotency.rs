//! Requests that may be repeated without doing twice what they do.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use innkeeper_model::problem::FieldError;

use crate::problem::Problem;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The name that the header `Idempotency-Key` gives a request, with or without quotes.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(&parts.headers).map(Self).map_err(|error| Problem::invalid(vec![error]))
    }
}

fn read(headers: &HeaderMap) -> Result<Option<String>, FieldError> {
    let wrong = |message| FieldError::new("Idempotency-Key", "invalid_key", message);
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong("is given more than once"));
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| wrong("must be UTF-8"))?;
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match quoted.unwrap_or(text) {
        key if (1..=180).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(wrong("must be 1 to 180 bytes")),
    }
}

/// The key of a request that may have one in its header and one in its body.
pub(crate) fn agree(header: Option<String>, body: Option<String>) -> Result<Option<String>, FieldError> {
    match (header, body) {
        (Some(header), Some(body)) if header != body => {
            let message = "differs from the header `Idempotency-Key`";
            Err(FieldError::new("idempotencyKey", "key_mismatch", message))
        }
        (header, body) => Ok(header.or(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_with_and_without_quotes() {
        for (text, expected) in [("k-1", Some("k-1")), ("\"k 1\"", Some("k 1")), ("\"\"", None), ("", None)] {
            let headers = HeaderMap::from_iter([(HEADER, text.parse().expect("a header value"))]);
            assert_eq!(read(&headers).ok().flatten().as_deref(), expected, "{text}");
        }
        let long = HeaderMap::from_iter([(HEADER, "x".repeat(181).parse().expect("a header value"))]);
        assert_eq!(read(&long).expect_err("too long").code, "invalid_key");
    }

    #[test]
    fn header_and_body_must_not_differ() {
        let key = |text: &str| Some(text.to_owned());
        assert_eq!(agree(key("a"), key("a")), Ok(key("a")));
        assert_eq!(agree(None, key("a")), Ok(key("a")));
        assert_eq!(agree(key("a"), None), Ok(key("a")));
        assert_eq!(agree(key("a"), key("b")).expect_err("they differ").code, "key_mismatch");
    }
}
