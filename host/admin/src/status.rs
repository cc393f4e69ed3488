//! What state the host is in, and what it offers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_schedule::zone::TimezoneData;

use crate::auth::Tenant;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;
use crate::wire;

pub(crate) async fn stats(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let tasks = api.runner.stats(&tenant).await?;
    let timezone_data = TimezoneData::Bundled.version();
    Ok(Json(wire::Stats { tasks, version: env!("CARGO_PKG_VERSION"), timezone_data }))
}

pub(crate) async fn presets(
    State(api): State<Arc<Api>>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(wire::Page::<wire::Preset>::whole(api.runner.presets().await?)))
}

/// Whether the process answers.
pub(crate) async fn health() -> impl IntoResponse {
    Json(wire::Condition { status: "ok" })
}

/// Whether the host takes work.
pub(crate) async fn readiness(State(api): State<Arc<Api>>) -> Result<impl IntoResponse, Problem> {
    if api.stop.is_cancelled() || api.runner.is_stopping() {
        return Err(Problem::shutting_down());
    }
    Ok(Json(wire::Condition { status: "ready" }))
}
