//! Errors: one document, and one answer for each status.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::health::Check;
use crate::wire::Trial;

/// Why a request was not done (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDocument {
    /// Always `about:blank`: programs go by `code`.
    r#type: String,
    /// The phrase of the status.
    title: String,
    status: u16,
    /// The reason's name, which stays the same.
    #[schema(example = "not_found")]
    code: String,
    /// For people.
    detail: String,
    /// What is wrong with the request, all of it.
    errors: Option<Vec<FieldProblem>>,
    /// What readiness hangs on, where that was asked.
    checks: Option<Vec<Check>>,
    /// The execution with the sample event, if that is what failed.
    trial: Option<Trial>,
}

/// What is wrong with one field of a body, one parameter of a query or one header.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldError)]
pub(super) struct FieldProblem {
    /// Its name; in bodies the way to it, such as `retryPolicy.delay` or `3.event`.
    field: String,
    /// The reason's name, which stays the same.
    code: String,
    /// For people: what is wrong with it, and what would not be.
    message: String,
    /// What was probably meant.
    suggestion: Option<String>,
}

/// Status, name, what it means, and codes that come with it, the first as an example.
pub(super) const PROBLEMS: &[(u16, &str, &str, &[&str])] = &[
    (400, "BadRequest", "The body is not JSON, or not whole.", &["not_json", "incomplete_body"]),
    (401, "Unauthorized", "There is no token, or it is no good.", &["unauthorized"]),
    (
        403,
        "Forbidden",
        "The caller may not do this, or may not ask at all.",
        &["forbidden", "foreign_request", "tenant_disabled"],
    ),
    (404, "NotFound", "What the path names does not exist.", &["not_found", "no_such_route"]),
    (408, "RequestTimeout", "The body took too long to arrive.", &["too_slow"]),
    (
        409,
        "Conflict",
        "It cannot be done as things are.",
        &[
            "task_exists",
            "plugin_in_use",
            "version_in_use",
            "grants_needed",
            "not_running",
            "not_dead",
            "already_replayed",
            "task_gone",
            "event_gone",
            "tenant_exists",
            "tenant_disabled",
            "quarantined",
            "quota_exceeded",
            "backup_in_progress",
            "in_memory",
        ],
    ),
    (
        412,
        "PreconditionFailed",
        "It is not as `If-Match` or `If-None-Match` demands.",
        &["precondition_failed"],
    ),
    (413, "ContentTooLarge", "The body is too large.", &["too_large"]),
    (
        415,
        "UnsupportedMediaType",
        "The body is declared as something else, or not at all.",
        &["unsupported_media_type", "unsupported_encoding"],
    ),
    (
        422,
        "Invalid",
        "Fields, parameters or headers are wrong; `errors` names them all.",
        &["invalid", "plugin_refused", "canary_failed"],
    ),
    (
        429,
        "TooMany",
        "There are too many already; try again later.",
        &["quota_exceeded", "too_many_bodies", "too_many_uploads", "too_many_streams"],
    ),
    (500, "Internal", "The host failed; its log says why.", &["internal"]),
    (
        503,
        "Unavailable",
        "The host takes no work now; try again later.",
        &["shutting_down", "not_ready", "locked", "stopped"],
    ),
    (507, "Full", "The disk is full; nothing was stored.", &["disk_full"]),
];

/// The name of a status's answer.
pub(super) fn name(status: u16) -> &'static str {
    let found = PROBLEMS.iter().find(|(known, ..)| *known == status);
    found.map_or("Internal", |(_, name, ..)| name)
}

/// The answers, by their names.
pub(super) fn responses() -> Value {
    PROBLEMS
        .iter()
        .map(|(status, name, meaning, codes)| ((*name).to_owned(), response(*status, meaning, codes)))
        .collect()
}

fn response(status: u16, meaning: &str, codes: &[&str]) -> Value {
    let title = axum::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut example = json!({
        "type": "about:blank", "title": title, "status": status, "code": codes.first(), "detail": meaning,
    });
    if status == 422 {
        example["errors"] = json!([{"field": "cron", "code": "invalid_cron", "message": "…"}]);
    }
    let description = format!("{meaning} Codes: `{}`.", codes.join("`, `"));
    let content = json!({"schema": {"$ref": "#/components/schemas/Problem"}, "example": example});
    json!({"description": description, "content": {"application/problem+json": content}})
}
