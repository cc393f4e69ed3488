//! Who may ask, and for which tenant.

use std::fmt;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use innkeeper_model::id::{Digest, TenantId};
use subtle::ConstantTimeEq as _;

use crate::problem::Problem;

/// The tenant whose things a request is about. Every handler that touches any takes it from here.
pub(crate) struct Tenant(pub(crate) TenantId);

impl<S: Send + Sync> FromRequestParts<S> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let tenant = parts.extensions.get::<TenantId>().cloned();
        tenant.map(Self).ok_or_else(|| Problem::internal("a request reached its handler without a tenant"))
    }
}

/// The secret that a client presents as `Authorization: Bearer <secret>`. Only its digest is kept, and neither is ever
/// printed.
#[derive(Clone)]
pub struct Token(Digest);

/// The text cannot be a token: a header could not carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token must be 1 to 1024 visible ASCII characters without spaces")]
pub struct InvalidToken;

impl Token {
    /// A token with this secret.
    ///
    /// # Errors
    /// [`InvalidToken`] if it is empty, too long, or has other characters than visible ASCII.
    pub fn new(secret: &str) -> Result<Self, InvalidToken> {
        let is_valid =
            (1..=1024).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid { Ok(Self(Digest::of(secret.as_bytes()))) } else { Err(InvalidToken) }
    }

    /// Whether `secret` is this token's. Takes the same time wherever they differ; digests have one length.
    fn is(&self, secret: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(Digest::of(secret).as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(..)")
    }
}

/// Decides whether a request with these headers may pass.
pub(crate) fn authorize(token: Option<&Token>, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(token) = token else { return refuse_foreign(headers) };
    let Some(given) = headers.get(AUTHORIZATION) else {
        return Err(Problem::unauthorized("this host wants `Authorization: Bearer <token>`"));
    };
    match bearer(given.as_bytes()) {
        Some(secret) if token.is(secret) => Ok(()),
        Some(_) => Err(Problem::unauthorized("the token is not the one this host was given")),
        None => Err(Problem::unauthorized("the header `Authorization` is not of the form `Bearer <token>`")),
    }
}

/// The secret in `Bearer <secret>`; the scheme's letter case does not matter.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, secret) = header.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| secret.trim_ascii())
}

/// Without a token whoever reaches the loopback address may ask. A web page in a browser on the same machine reaches it
/// too: across origins, which the browser says, or under a host name that it has pointed here, which `Host` says.
fn refuse_foreign(headers: &HeaderMap) -> Result<(), Problem> {
    let foreign_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    let foreign_host = headers.get(HOST).is_some_and(|host| !host.to_str().is_ok_and(is_loopback));
    if foreign_site || foreign_host {
        return Err(Problem::foreign());
    }
    Ok(())
}

/// Whether `host`, a name or address with an optional port, means this machine to a client on it.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_compared_and_never_printed() {
        let token = Token::new("s3cret").expect("a valid token");
        assert!(token.is(b"s3cret"));
        for other in ["s3cre", "s3crets", "S3cret", ""] {
            assert!(!token.is(other.as_bytes()), "{other}");
        }
        assert_eq!(format!("{token:?}"), "Token(..)");
        for bad in ["", "two words", "naïve", "line\n", &"a".repeat(1025)] {
            assert_eq!(Token::new(bad).map(|_| ()), Err(InvalidToken), "{bad}");
        }
    }

    #[test]
    fn the_scheme_is_read_in_any_letter_case() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bearer  abc "), Some(&b"abc"[..]));
        for other in [&b"Basic abc"[..], b"Bearer", b"Bearerabc", b""] {
            assert_eq!(bearer(other), None);
        }
    }

    #[test]
    fn loopback_names_are_known() {
        for host in ["localhost", "LocalHost:7070", "127.0.0.1:7070", "127.9.9.9", "[::1]:7070", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["example.org", "localhost.example.org:7070", "10.0.0.1:7070", "0.0.0.0", "", "127.0.0.1:x"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
