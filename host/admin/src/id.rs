//! The name in a path.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::problem::Problem;

/// The one parameter of the path, as an identifier. A text that cannot be one names nothing that exists.
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = PathText::from_request_parts(parts, state).await?.0;
        let id =
            text.parse().map_err(|error| Problem::not_found(format!("{error}, so it does not exist")))?;
        Ok(Self(id))
    }
}

/// The one parameter of the path, as text.
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("the path is not UTF-8, so it names nothing that exists"))?;
        Ok(Self(text))
    }
}

/// The two parameters of the path, as text.
pub(crate) struct PathTexts(pub(crate) String, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathTexts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((first, second)) = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("the path is not UTF-8, so it names nothing that exists"))?;
        Ok(Self(first, second))
    }
}

/// The hexadecimal digits.
const HEX: [&str; 16] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F"];

/// `text` as one segment of a path (RFC 3986, section 3.3).
pub(crate) fn path_segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.extend(["%", HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_encoded_where_it_must_be() {
        assert_eq!(path_segment("user:login-2.0_~"), "user:login-2.0_~");
        assert_eq!(path_segment("100%?é#"), "100%25%3F%C3%A9%23");
    }
}
