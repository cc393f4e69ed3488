//! What plugins may reach.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_model::grants::Grants;
use innkeeper_model::id::PluginName;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Tenant;
use crate::id::Id;
use crate::json::JsonBody;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;

/// Grants as answers show them: every list is there.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Grants)]
pub(crate) struct Answer {
    http: Vec<String>,
    key_value: Vec<String>,
    config: Vec<String>,
}

impl From<Grants> for Answer {
    fn from(grants: Grants) -> Self {
        let http = grants.http.iter().map(ToString::to_string).collect();
        Self { http, key_value: grants.key_value, config: grants.config }
    }
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(Answer::from(api.runner.plugin_policy(&tenant, &name).await?.grants)))
}

/// Makes the grants in the body the plugin's, for executions that start from now on.
pub(crate) async fn replace(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let grants = Grants::from_json(body).map_err(Problem::invalid)?;
    api.runner.set_plugin_grants(&tenant, &name, grants.clone()).await?;
    Ok(Json(Answer::from(grants)))
}
