//! Changes that are made only if nothing has changed meanwhile (RFC 9110, section 13).

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use innkeeper_model::precondition::Precondition;
use innkeeper_model::problem::FieldError;

use crate::problem::Problem;

/// What a request demands with `If-Match` or `If-None-Match`.
pub(crate) struct If(pub(crate) Precondition);

impl<S: Send + Sync> FromRequestParts<S> for If {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        demanded(&parts.headers).map(Self).map_err(|error| Problem::invalid(vec![error]))
    }
}

/// The header that says which state an answer shows.
pub(crate) fn tagged(tag: &str) -> [(HeaderName, HeaderValue); 1] {
    [(ETAG, value(tag).unwrap_or_else(|| HeaderValue::from_static("\"\"")))]
}

/// A tag as it stands in a header; `None` if it cannot.
pub(crate) fn value(tag: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{tag}\"")).ok()
}

fn demanded(headers: &HeaderMap) -> Result<Precondition, FieldError> {
    let (matching, absent) = (joined(headers, &IF_MATCH), joined(headers, &IF_NONE_MATCH));
    match (matching.as_deref().map(str::trim), absent.as_deref().map(str::trim)) {
        (None, None) => Ok(Precondition::None),
        (Some("*"), None) => Ok(Precondition::Present),
        (Some(list), None) => tags(list).map(Precondition::Tagged).ok_or_else(|| {
            let message = "must be `*` or tags as the header `ETag` of an answer gives them, in quotes";
            FieldError::new("If-Match", "invalid_etag", message)
        }),
        (None, Some("*")) => Ok(Precondition::Absent),
        (None, Some(_)) => {
            let message = "can only be `*` here: create it, and do not replace it";
            Err(FieldError::new("If-None-Match", "invalid_etag", message))
        }
        (Some(_), Some(_)) => {
            let message = "contradicts `If-Match`: give one of them";
            Err(FieldError::new("If-None-Match", "invalid_etag", message))
        }
    }
}

/// A header that may be given more than once, as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The strong tags of a list; a weak one is none that could match. `None` if it is no list of tags.
fn tags(list: &str) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    let mut rest = list.trim();
    loop {
        let (is_weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |weak| (true, weak));
        let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
        if !is_weak {
            tags.push(tag.to_owned());
        }
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return rest.is_empty().then_some(tags),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(HeaderName, &str)]) -> Result<Precondition, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value.parse().expect("a header value"));
        }
        demanded(&headers).map_err(|error| error.field)
    }

    #[test]
    fn demands_are_read() {
        let tagged =
            |tags: &[&str]| Ok(Precondition::Tagged(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        assert_eq!(read(&[]), Ok(Precondition::None));
        assert_eq!(read(&[(IF_MATCH, "*")]), Ok(Precondition::Present));
        assert_eq!(read(&[(IF_NONE_MATCH, " * ")]), Ok(Precondition::Absent));
        assert_eq!(read(&[(IF_MATCH, "\"a\", W/\"b\" ,\"c,d\"")]), tagged(&["a", "c,d"]));
        assert_eq!(read(&[(IF_MATCH, "\"a\""), (IF_MATCH, "\"b\"")]), tagged(&["a", "b"]));
    }

    #[test]
    fn what_is_no_demand_is_refused() {
        for bad in ["abc", "", "\"a", "\"a\" \"b\"", "\"a\",", "w/\"a\""] {
            assert_eq!(read(&[(IF_MATCH, bad)]), Err("If-Match".to_owned()), "{bad}");
        }
        assert_eq!(read(&[(IF_NONE_MATCH, "\"a\"")]), Err("If-None-Match".to_owned()));
        assert_eq!(read(&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")]), Err("If-None-Match".to_owned()));
    }
}
