//! Configuration and secrets. A secret goes in and never comes out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use innkeeper_model::problem::FieldError;
use innkeeper_model::time::Timestamp;
use innkeeper_store::ConfigEntry;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Tenant;
use crate::fields::Fields;
use crate::id::{PathText, path_segment};
use crate::json::JsonBody;
use crate::openapi::values;
use crate::problem::Problem;
use crate::query::{FromQuery, Parameters, Query};
use crate::router::Api;
use crate::wire::Page;

/// A configured value as clients see it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConfigEntry)]
pub(crate) struct Entry {
    key: String,
    is_secret: bool,
    /// `null` for a secret.
    value: Option<String>,
    #[schema(value_type = values::Instant)]
    updated_at: Timestamp,
}

impl From<ConfigEntry> for Entry {
    fn from(entry: ConfigEntry) -> Self {
        let ConfigEntry { key, value, updated_at } = entry;
        Self { key, is_secret: value.is_none(), value, updated_at }
    }
}

/// Which keys to list.
pub(crate) struct Keys {
    limit: u32,
    cursor: Option<String>,
}

impl FromQuery for Keys {
    const KEYS: &'static [&'static str] = &["limit", "cursor"];

    fn read(parameters: &mut Parameters) -> Self {
        Self { limit: parameters.limit(), cursor: parameters.cursor() }
    }
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(Keys { limit, cursor }): Query<Keys>,
) -> Result<impl IntoResponse, Problem> {
    let entries = api.runner.config_entries(&tenant, cursor.as_deref(), limit + 1).await?;
    Ok(Json(Page::<Entry>::first(entries, limit, |entry| entry.key.clone(), Entry::from)))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    PathText(key): PathText,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(Entry::from(api.runner.config_entry(&tenant, &key).await?)))
}

/// Sets a value: `{"value": "…", "secret": true}`.
pub(crate) async fn set(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    PathText(key): PathText,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let mut problems = Vec::new();
    let mut fields = Fields::new("", body, &["value", "secret"], &mut problems);
    // An empty text is a value.
    let value = fields.text("value");
    let is_secret = fields.flag("secret").unwrap_or(false);
    let Some(value) = value.filter(|_| problems.is_empty()) else {
        if problems.is_empty() {
            problems.push(FieldError::new("value", "missing", "is required"));
        }
        return Err(Problem::invalid(problems));
    };
    let (entry, is_new) = api.runner.set_config(&tenant, &key, value, is_secret).await?;
    let location = format!("/v1/config/{}", path_segment(&key));
    let entry = Json(Entry::from(entry));
    Ok(if is_new {
        (StatusCode::CREATED, [(LOCATION, location)], entry).into_response()
    } else {
        entry.into_response()
    })
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    PathText(key): PathText,
) -> Result<StatusCode, Problem> {
    api.runner.delete_config(&tenant, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}
