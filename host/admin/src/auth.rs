//! Who may ask, and for which tenant.

use std::fmt;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use innkeeper_model::access::Role;
use innkeeper_model::id::{Digest, TenantId};
use innkeeper_model::tenant::TenantStatus;
use innkeeper_runner::TaskRunner;
use subtle::ConstantTimeEq as _;

use crate::problem::Problem;

/// Names the tenant that the operator speaks for.
pub(crate) const TENANT_HEADER: HeaderName = HeaderName::from_static("innkeeper-tenant");

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// What may be done.
    pub(crate) role: Role,
    /// The tenant that the caller belongs to; `None` is the operator.
    pub(crate) tenant: Option<TenantId>,
    /// The caller in words, for the record of changes.
    pub(crate) actor: String,
}

/// Of what tenant a request is.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    /// Of this one, which exists.
    Tenant(TenantId),
    /// The operator has named one that does not exist.
    Unknown(String),
}

/// The tenant whose things a request is about. Every handler that touches any takes it from here.
pub(crate) struct Tenant(pub(crate) TenantId);

impl<S: Send + Sync> FromRequestParts<S> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Scope>() {
            Some(Scope::Tenant(tenant)) => Ok(Self(tenant.clone())),
            Some(Scope::Unknown(name)) => Err(Problem::not_found(format!(
                "the tenant `{name}` of the header `Innkeeper-Tenant` does not exist"
            ))),
            None => Err(Problem::internal("a request reached its handler without a tenant")),
        }
    }
}

/// Who asks, for the handlers whose answer depends on it.
pub(crate) struct By(pub(crate) Identity);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let identity = parts.extensions.get::<Identity>().cloned();
        identity.map(Self).ok_or_else(|| Problem::internal("a request reached its handler without a caller"))
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

/// Says who sends a request with these headers. `token` is the operator's from the configuration; the others are known to
/// `runner`.
pub(crate) fn identify(
    token: Option<&Token>,
    runner: &TaskRunner,
    headers: &HeaderMap,
) -> Result<Identity, Problem> {
    let operator = |actor: &str| Identity { role: Role::Operator, tenant: None, actor: actor.to_owned() };
    let has_operator = token.is_some() || runner.has_operator_token();
    let given = headers.get(AUTHORIZATION);
    // A host that has no tokens at all cares for none that it is shown.
    if !has_operator && (given.is_none() || !runner.has_tokens()) {
        return refuse_foreign(headers).map(|()| operator("whoever sits at this machine"));
    }
    let Some(given) = given else {
        return Err(Problem::unauthorized("this host wants `Authorization: Bearer <token>`"));
    };
    let Some(secret) = bearer(given.as_bytes()) else {
        return Err(Problem::unauthorized("the header `Authorization` is not of the form `Bearer <token>`"));
    };
    if token.is_some_and(|token| token.is(secret)) {
        return Ok(operator("the token of the configuration"));
    }
    let caller = std::str::from_utf8(secret).ok().and_then(|secret| runner.authenticate(secret));
    let Some(caller) = caller else {
        return Err(Problem::unauthorized(
            "the token is not one that this host knows, or it is no longer good",
        ));
    };
    let actor = format!("{} ({})", caller.name, caller.token);
    Ok(Identity { role: caller.role, tenant: caller.tenant, actor })
}

/// Of what tenant the request is: the caller's own, or the one that the operator names.
pub(crate) fn scope(identity: &Identity, runner: &TaskRunner, headers: &HeaderMap) -> Result<Scope, Problem> {
    let named = headers.get(&TENANT_HEADER).map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
    let named = named.filter(|name| !name.is_empty());
    let Some(own) = &identity.tenant else {
        let Some(name) = named else { return Ok(Scope::Tenant(TenantId::default_tenant())) };
        let found = name
            .parse()
            .ok()
            .filter(|id| runner.tenant_status(id).is_some_and(|status| status != TenantStatus::Deleting));
        return Ok(found.map_or(Scope::Unknown(name), Scope::Tenant));
    };
    match runner.tenant_status(own) {
        Some(TenantStatus::Active) => {}
        Some(TenantStatus::Disabled) => return Err(Problem::tenant_disabled(own)),
        // The token goes with the tenant; here it is only a moment early.
        _ => {
            return Err(Problem::unauthorized(
                "the token is not one that this host knows, or it is no longer good",
            ));
        }
    }
    if named.is_some_and(|name| name != own.as_str()) {
        let detail = "the token belongs to another tenant than the header `Innkeeper-Tenant` names";
        return Err(Problem::forbidden(detail));
    }
    Ok(Scope::Tenant(own.clone()))
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
    // Browsers that say nothing of the site name the origin; it must be what they think this host is called.
    let foreign_origin = headers.get(ORIGIN).is_some_and(|origin| !is_origin_of(origin, headers.get(HOST)));
    if foreign_site || foreign_host || foreign_origin {
        return Err(Problem::foreign());
    }
    Ok(())
}

/// Whether a page of this origin is of the host that it asks.
fn is_origin_of(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else { return false };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
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
