//! The one place where errors become HTTP: status, stable code, what the client is told, and the cause that is logged.
//!
//! The form is that of RFC 9457. Its `type` stays `about:blank`, which makes `title` the status's own phrase; programs go
//! by `code`.

mod versions;

use std::borrow::Cow;
use std::time::Duration;

use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use innkeeper_model::id::TenantId;
use innkeeper_model::precondition::PreconditionFailed;
use innkeeper_model::problem::FieldError;
use innkeeper_model::quota::Exceeded;
use innkeeper_model::sandbox::Refusal;
use innkeeper_runner::RunnerError;
use innkeeper_schedule::duration::format_duration;
use innkeeper_store::StoreError;
use serde::Serialize;

use crate::etag;
use crate::health::Check;
use crate::wire;

/// When a client may ask again.
const RETRY_AFTER_SECONDS: &str = "2";

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Problem(Box<Answer>);

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    code: &'static str,
    /// For people.
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    /// What the host looked at, where that is what was asked.
    checks: Vec<Check>,
    /// The execution that failed, where one was tried.
    trial: Option<wire::Trial>,
    header: Option<(HeaderName, HeaderValue)>,
    /// What only the log is told.
    cause: Option<String>,
}

/// Why an answer is a failure of the host, for whoever logs the request. An extension of the response.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "<[Check]>::is_empty")]
    checks: &'a [Check],
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<wire::Trial>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Answer { status, code, detail, errors, checks, trial, header, cause } = *self.0;
        let title = status.canonical_reason().unwrap_or("Error");
        let (number, kind) = (status.as_u16(), "about:blank");
        let (detail, errors, checks) = (detail.as_ref(), errors.as_slice(), checks.as_slice());
        let document = Document { kind, title, status: number, code, detail, errors, checks, trial };
        let content_type = HeaderValue::from_static("application/problem+json");
        // Strings and numbers can always be written.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, content_type)], body).into_response();
        response.headers_mut().extend(header);
        if let Some(cause) = cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

impl From<RunnerError> for Problem {
    fn from(error: RunnerError) -> Self {
        match error {
            RunnerError::Invalid(errors) => Self::invalid(errors),
            RunnerError::NotFound { .. } => Self::not_found(error.to_string()),
            RunnerError::Conflict { code, detail } => Self::new(StatusCode::CONFLICT, code, detail),
            RunnerError::NotRunning(_) => Self::new(StatusCode::CONFLICT, "not_running", error.to_string()),
            RunnerError::Refused(refusal) => Self::refused(&refusal),
            RunnerError::PreconditionFailed(message) => {
                Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", message)
            }
            RunnerError::WrongSecretKey | RunnerError::File(_) => Self::internal(error.to_string()),
            RunnerError::TenantExists(_) => {
                Self::new(StatusCode::CONFLICT, "tenant_exists", error.to_string())
            }
            RunnerError::TenantDisabled(_) => {
                Self::new(StatusCode::CONFLICT, "tenant_disabled", error.to_string())
            }
            RunnerError::Quarantined(_) => Self::new(StatusCode::CONFLICT, "quarantined", error.to_string()),
            RunnerError::QuotaExceeded(exceeded) => Self::quota_exceeded(&exceeded),
            RunnerError::TrialFailed(_) => Self::canary_failed(error),
            RunnerError::ShuttingDown => Self::shutting_down(),
            RunnerError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::TaskExists(_) => Self::new(StatusCode::CONFLICT, "task_exists", message),
            StoreError::PluginInUse { .. } => Self::new(StatusCode::CONFLICT, "plugin_in_use", message),
            StoreError::PluginMissing(_) => {
                Self::invalid(vec![FieldError::new("plugin", "unknown_plugin", message)])
            }
            StoreError::VersionInUse { .. } => Self::new(StatusCode::CONFLICT, "version_in_use", message),
            StoreError::GrantsNeeded { kinds, .. } => Self::grants_needed(&kinds, &message),
            StoreError::Precondition(failed) => Self::precondition_failed(&failed, message),
            StoreError::Full => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", message.clone()).caused_by(message)
            }
            StoreError::Locked => Self::unavailable("locked", message.clone()).caused_by(message),
            StoreError::Stopped => Self::unavailable("stopped", message.clone()).caused_by(message),
            StoreError::Unread(_)
            | StoreError::BadRow(_)
            | StoreError::Broken(_)
            | StoreError::Refused(_)
            | StoreError::Sqlite(_) => Self::internal(message),
        }
    }
}

/// What the host could not do.
impl Problem {
    /// Our own failure: the client is told nothing of the cause.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let detail = "the host failed; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).caused_by(cause)
    }

    pub(crate) fn shutting_down() -> Self {
        Self::unavailable("shutting_down", "the host is shutting down; try again when it is back")
    }

    /// The host takes no work, for the reasons that some of `checks` name.
    pub(crate) fn not_ready(is_draining: bool, checks: Vec<Check>) -> Self {
        let reasons: Vec<_> = checks.iter().filter_map(|check| check.reason.as_deref()).collect();
        let detail = reasons.join("; ");
        let code = if is_draining { "shutting_down" } else { "not_ready" };
        let mut problem = Self::unavailable(code, detail);
        problem.0.checks = checks;
        problem
    }

    pub(crate) fn backup_in_progress() -> Self {
        let detail = "a backup is being taken already; try again when it is done";
        Self::new(StatusCode::CONFLICT, "backup_in_progress", detail)
    }

    pub(crate) fn nothing_to_back_up() -> Self {
        let detail = "this host keeps everything in memory: there is nothing to back up";
        Self::new(StatusCode::CONFLICT, "in_memory", detail)
    }

    fn unavailable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let after = HeaderValue::from_static(RETRY_AFTER_SECONDS);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).with_header(RETRY_AFTER, after)
    }
}

/// What is wrong with a request.
impl Problem {
    /// A request of the right form with these wrong fields.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [error] => format!("`{}` {}", error.field, error.message),
            errors => format!("the request is wrong in {} places", errors.len()),
        };
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        problem.0.errors = errors;
        problem
    }

    /// What was to be changed is not as the request demanded it to be. The header `ETag` says what it is.
    fn precondition_failed(failed: &PreconditionFailed, detail: String) -> Self {
        let problem = Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail);
        match failed.current.as_deref().and_then(etag::value) {
            Some(current) => problem.with_header(ETAG, current),
            None => problem,
        }
    }

    pub(crate) fn too_many_streams(detail: String) -> Self {
        let after = HeaderValue::from_static(RETRY_AFTER_SECONDS);
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail).with_header(RETRY_AFTER, after)
    }

    fn refused(refusal: &Refusal) -> Self {
        if matches!(refusal, Refusal::HostFault(_)) {
            return Self::unavailable(refusal.code(), refusal.to_string());
        }
        let message = refusal.to_string();
        let errors = vec![FieldError::new("component", refusal.code(), message.clone())];
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", message);
        problem.0.errors = errors;
        problem
    }

    pub(crate) fn not_json(error: &serde_json::Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "not_json", format!("the body is not JSON: {error}"))
    }

    pub(crate) fn incomplete() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "incomplete_body", "the body ended before it was complete")
    }

    pub(crate) fn wrong_media_type(expected: &'static str) -> Self {
        let detail = format!("the body must be sent with `Content-Type: {expected}`");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// A body that would have to be unpacked first: what it unpacks to is anybody's guess.
    pub(crate) fn encoded(encoding: &str) -> Self {
        let detail =
            format!("the body is sent with `Content-Encoding: {encoding}`: send it as it is, without one");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail)
            .with_header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
    }

    pub(crate) fn too_many_uploads(waiting_max: usize) -> Self {
        let detail = format!(
            "{waiting_max} uploads of this tenant wait already, which is as many as may; try again later"
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_uploads", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS))
    }

    pub(crate) fn too_large(bytes_max: usize) -> Self {
        let detail = format!("the body is too large; at most {bytes_max} bytes are taken here");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    pub(crate) fn too_slow(timeout: Duration) -> Self {
        let detail = format!("the body did not come within {}", format_duration(timeout));
        Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail)
    }

    pub(crate) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(crate) fn no_such_route(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_route", format!("there is nothing at `{path}`"))
    }

    pub(crate) fn no_such_method(method: &Method, path: &str) -> Self {
        let detail = format!("`{path}` does not answer to {method}; the header `Allow` says to what it does");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    pub(crate) fn unauthorized(detail: &'static str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"innkeeper\"");
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).with_header(WWW_AUTHENTICATE, challenge)
    }

    /// Who asks may not do this.
    pub(crate) fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// A token of a tenant that is disabled.
    pub(crate) fn tenant_disabled(tenant: &TenantId) -> Self {
        let detail = RunnerError::TenantDisabled(tenant.clone()).to_string();
        Self::new(StatusCode::FORBIDDEN, "tenant_disabled", detail)
    }

    /// A rate, or a queue that drains, is worth another try; a count of what is stored is not.
    fn quota_exceeded(exceeded: &Exceeded) -> Self {
        let message = exceeded.to_string();
        let errors = vec![FieldError::new(exceeded.quota.as_str(), "quota_exceeded", message.clone())];
        let status =
            if exceeded.retry_after.is_some() { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::CONFLICT };
        let mut problem = Self::new(status, "quota_exceeded", message);
        problem.0.errors = errors;
        match exceeded.retry_after {
            Some(after) => problem.retry_after(after),
            None => problem,
        }
    }

    /// The bodies of other requests of the tenant take all the memory that they may.
    pub(crate) fn too_many_bodies() -> Self {
        let detail =
            "requests in progress take all the memory that they may: send fewer at once, or smaller ones";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_bodies", detail)
            .retry_after(Duration::from_secs(1))
    }

    /// Whole seconds, and never so few that it would be too early.
    fn retry_after(self, after: Duration) -> Self {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// A request to a host without a token that comes from a foreign web page.
    pub(crate) fn foreign() -> Self {
        let detail = "this host has no token, so it answers only to loopback names and not to foreign web pages; \
            configure a token to reach it in other ways";
        Self::new(StatusCode::FORBIDDEN, "foreign_request", detail)
    }

    fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let (detail, errors) = (detail.into(), Vec::new());
        let (checks, trial, header, cause) = (Vec::new(), None, None, None);
        Self(Box::new(Answer { status, code, detail, errors, checks, trial, header, cause }))
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    fn caused_by(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_status() {
        let full: Problem = RunnerError::Store(StoreError::Full).into();
        let cases: [(Problem, u16, &str); 7] = [
            (full, 507, "disk_full"),
            (StoreError::Stopped.into(), 503, "stopped"),
            (StoreError::TaskExists("a".to_owned()).into(), 409, "task_exists"),
            (
                StoreError::PluginInUse { plugin: "a".to_owned(), tasks: 2, runs: 0 }.into(),
                409,
                "plugin_in_use",
            ),
            (RunnerError::ShuttingDown.into(), 503, "shutting_down"),
            (RunnerError::Refused(Refusal::CoreModule).into(), 422, "plugin_refused"),
            (RunnerError::Refused(Refusal::HostFault("x".to_owned())).into(), 503, "compiler_failed"),
        ];
        for (problem, status, code) in cases {
            assert_eq!((problem.0.status.as_u16(), problem.0.code), (status, code));
            assert_eq!(status == 503, problem.into_response().headers().contains_key(RETRY_AFTER), "{code}");
        }
    }

    #[test]
    fn an_internal_cause_is_for_the_log_only() {
        let problem: Problem = StoreError::Sqlite("no such column: secret".to_owned()).into();
        assert!(!problem.0.detail.contains("secret"));
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let cause = response.extensions().get::<Cause>().expect("a cause");
        assert!(cause.0.contains("secret"));
    }
}
