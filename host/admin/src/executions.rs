//! The audit trail.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use innkeeper_model::execution::{Execution, LogLine};
use innkeeper_model::id::{ExecutionId, TaskId, TenantId};
use innkeeper_store::ExecutionFilter;

use crate::auth::Tenant;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::{FromQuery, Parameters, Query};
use crate::router::Api;
use crate::wire;

/// Those of one task, which may be gone: its trail stays.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<TaskId>,
    Query(ExecutionQuery { filter, limit }): Query<ExecutionQuery>,
) -> Result<impl IntoResponse, Problem> {
    let filter = ExecutionFilter { task: Some(id.clone()), ..filter };
    let executions = api.runner.executions(&tenant, filter).await?;
    if executions.is_empty() {
        refuse_unknown(&api, &tenant, &id).await?;
    }
    let cursor = |last: &Execution| last.id.to_string();
    Ok(Json(wire::Page::first(executions, limit, cursor, wire::Execution::from)))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<ExecutionId>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(wire::Execution::from(api.runner.execution(&tenant, &id).await?)))
}

pub(crate) async fn logs(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<ExecutionId>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(wire::Page::<LogLine>::whole(api.runner.logs(&tenant, &id).await?)))
}

/// Asks a running execution to end. It may take a moment; the answer is the execution as it is meanwhile.
pub(crate) async fn cancel(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<ExecutionId>,
) -> Result<impl IntoResponse, Problem> {
    api.runner.cancel_execution(&tenant, &id).await?;
    let execution = api.runner.execution(&tenant, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(wire::Execution::from(execution))))
}

/// An empty page is an answer only for a task that exists or has left executions.
async fn refuse_unknown(api: &Api, tenant: &TenantId, id: &TaskId) -> Result<(), Problem> {
    let Err(missing) = api.runner.get_task(tenant, id).await else { return Ok(()) };
    let any = ExecutionFilter { task: Some(id.clone()), limit: 1, ..ExecutionFilter::default() };
    match api.runner.executions(tenant, any).await?.as_slice() {
        [] => Err(missing.into()),
        _ => Ok(()),
    }
}

/// `status`, `limit`, `cursor`.
pub(crate) struct ExecutionQuery {
    filter: ExecutionFilter,
    limit: u32,
}

impl FromQuery for ExecutionQuery {
    const KEYS: &'static [&'static str] = &["status", "limit", "cursor"];

    fn read(parameters: &mut Parameters) -> Self {
        let limit = parameters.limit();
        let filter = ExecutionFilter {
            task: None,
            status: parameters.choice("status", &["running", "success", "failed"]),
            before: parameters.cursor::<ExecutionId>(),
            limit: limit + 1,
        };
        Self { filter, limit }
    }
}
