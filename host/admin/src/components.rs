//! Components that are uploaded for a declaration to come.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use innkeeper_model::id::Digest;
use innkeeper_model::time::Timestamp;
use innkeeper_runner::StagedComponent;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{By, Tenant};
use crate::body;
use crate::openapi::values;
use crate::plugins::{MEDIA_TYPE, receive};
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;

/// A component that waits.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Component {
    #[schema(value_type = values::Digest)]
    digest: Digest,
    /// Bytes.
    size: u64,
    imports: Vec<String>,
    /// When it is forgotten, unless it is named until then.
    #[schema(value_type = values::Instant)]
    expires_at: Timestamp,
}

impl From<StagedComponent> for Component {
    fn from(staged: StagedComponent) -> Self {
        let StagedComponent { digest, size, imports, expires_at, .. } = staged;
        Self { digest, size, imports, expires_at }
    }
}

/// Checks the component in the body and keeps it for a while.
pub(crate) async fn stage(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    By(identity): By,
    Query(()): Query<()>,
    request: Request,
) -> Result<Response, Problem> {
    let problem = match body::encoding(request.headers()) {
        Some(encoding) => Some(Problem::encoded(&encoding)),
        None if body::is_of_type(request.headers(), MEDIA_TYPE) => None,
        None => Some(Problem::wrong_media_type(MEDIA_TYPE)),
    };
    if let Some(problem) = problem {
        body::discard(request, api.upload).await;
        return Err(problem);
    }
    let (_turn, component) = receive(&api, &tenant, request).await?;
    let staged = api.runner.stage_component(&tenant, component, Some(identity.actor)).await?;
    Ok((StatusCode::CREATED, Json(Component::from(staged))).into_response())
}
