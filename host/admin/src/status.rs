//! What state the host is in, and what it offers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use innkeeper_model::access::Role;
use innkeeper_model::problem::FieldError;

use crate::auth::{By, Tenant};
use crate::fields::Fields;
use crate::json::JsonBody;
use crate::paging::PageQuery;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;
use crate::wire;

pub(crate) async fn stats(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    By(identity): By,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let tasks = api.runner.stats(&tenant).await?;
    let timezone_data = api.runner.config().timezone_data.version();
    let is_operator = identity.role == Role::Operator;
    let database = is_operator.then(|| wire::Database::new(&api.runner.figures(), api.runner.free_bytes()));
    Ok(Json(wire::Stats { tasks, database, version: env!("CARGO_PKG_VERSION"), timezone_data }))
}

pub(crate) async fn presets(
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<impl IntoResponse, Problem> {
    let presets = api.runner.presets().await?;
    Ok(Json(page.of::<_, wire::Preset>(presets, |preset| preset.name.as_str())))
}

pub(crate) async fn put_preset(
    State(api): State<Arc<Api>>,
    Tenant(_): Tenant,
    Path(name): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let mut problems = Vec::new();
    let mut fields = Fields::new("", body, &["description", "cron"], &mut problems);
    let (description, cron) = (fields.text("description"), fields.text("cron"));
    if cron.is_none() && problems.is_empty() {
        problems.push(FieldError::new("cron", "missing", "is required"));
    }
    if !problems.is_empty() {
        return Err(Problem::invalid(problems));
    }
    let preset = innkeeper_store::Preset {
        name,
        description: description.unwrap_or_default(),
        cron: cron.unwrap_or_default(),
    };
    let is_new = api.runner.put_preset(preset.clone()).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(wire::Preset::from(preset))))
}
