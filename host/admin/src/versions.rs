//! Versions of plugins.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_model::id::{Digest, PluginName};
use innkeeper_model::problem::FieldError;
use innkeeper_store::VersionChoice;
use serde_json::Value;

use crate::auth::Tenant;
use crate::fields::Fields;
use crate::id::Id;
use crate::json::{JsonBody, OptionalJsonBody};
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;
use crate::wire;

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let versions = api.runner.plugin_versions(&tenant, &name).await?;
    Ok(Json(wire::Page::<wire::Version>::whole(versions)))
}

/// Makes the version in the body the active one.
pub(crate) async fn activate(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let Some(digest) = digest(body)? else {
        return Err(Problem::invalid(vec![FieldError::new("digest", "missing", "is required")]));
    };
    let plugin = api.runner.activate_version(&tenant, &name, VersionChoice::Digest(digest)).await?;
    Ok(Json(wire::Plugin::from(plugin)))
}

/// Makes the version in the body the active one, or else the one that was uploaded before the active one.
pub(crate) async fn roll_back(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<impl IntoResponse, Problem> {
    let digest = body.map(digest).transpose()?.flatten();
    let choice = digest.map_or(VersionChoice::Previous, VersionChoice::Digest);
    Ok(Json(wire::Plugin::from(api.runner.activate_version(&tenant, &name, choice).await?)))
}

fn digest(body: Value) -> Result<Option<Digest>, Problem> {
    let mut errors = Vec::new();
    let text = Fields::new("", body, &["digest"], &mut errors).text("digest");
    let digest = text.map(|text| text.parse::<Digest>()).transpose();
    let digest =
        digest.map_err(|error| errors.push(FieldError::new("digest", "invalid", error.to_string()))).ok();
    if errors.is_empty() { Ok(digest.flatten()) } else { Err(Problem::invalid(errors)) }
}
