//! The one place where errors become HTTP: status, stable code, what the client is told, and the cause that is logged.
//!
//! The form is that of RFC 9457. Its `type` stays `about:blank`, which makes `title` the status's own phrase; programs go
//! by `code`.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use innkeeper_model::problem::FieldError;
use innkeeper_model::sandbox::Refusal;
use innkeeper_runner::RunnerError;
use innkeeper_schedule::duration::format_duration;
use innkeeper_store::StoreError;
use serde::Serialize;

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
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Answer { status, code, detail, errors, header, cause } = *self.0;
        let title = status.canonical_reason().unwrap_or("Error");
        let document =
            Document { kind: "about:blank", title, status: status.as_u16(), code, detail: &detail, errors: &errors };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(CONTENT_TYPE, content_type)], body).into_response();
        response.headers_mut().extend(header);
        response.extensions_mut().extend_cause(cause);
        response
    }
}
