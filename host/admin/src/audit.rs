//! Who changed what through this API.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_model::id::AuditId;
use innkeeper_model::time::Timestamp;
use innkeeper_store::AuditEntry;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Tenant;
use crate::openapi::values;
use crate::problem::Problem;
use crate::query::{FromQuery, Parameters, Query};
use crate::router::Api;
use crate::wire::Page;

/// What was changed of the tenant, the newest first.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(AuditQuery { before, limit }): Query<AuditQuery>,
) -> Result<impl IntoResponse, Problem> {
    let entries = api.runner.audit(&tenant, before, limit + 1).await?;
    let cursor = |last: &AuditEntry| last.id.to_string();
    Ok(Json(Page::first(entries, limit, cursor, Shown::from)))
}

/// `limit`, `cursor`.
pub(crate) struct AuditQuery {
    before: Option<AuditId>,
    limit: u32,
}

impl FromQuery for AuditQuery {
    const KEYS: &'static [&'static str] = &["limit", "cursor"];

    fn read(parameters: &mut Parameters) -> Self {
        Self { before: parameters.cursor(), limit: parameters.limit() }
    }
}

/// A change.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
pub(crate) struct Shown {
    #[schema(value_type = String, format = "uuid")]
    id: AuditId,
    #[schema(value_type = values::Instant)]
    at: Timestamp,
    actor: String,
    method: String,
    path: String,
    status: u16,
}

impl From<AuditEntry> for Shown {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { id, at, actor, method, path, status } = entry;
        Self { id, at, actor, method, path, status }
    }
}
