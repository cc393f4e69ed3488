//! The audit trail.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use innkeeper_model::execution::{ExecutionStatus, FailureKind, LogLine};
use innkeeper_model::id::{ExecutionId, TaskId, TenantId};
use innkeeper_store::{ExecutionFilter, TrailEntry, TrailFilter, TrailPage};

use crate::auth::Tenant;
use crate::id::Id;
use crate::paging::NumberedQuery;
use crate::problem::Problem;
use crate::query::{FromQuery, Parameters, Query};
use crate::router::Api;
use crate::wire;

/// Those of one task, which may be gone: its trail stays.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<TaskId>,
    Query(OfTask(filter)): Query<OfTask>,
) -> Result<impl IntoResponse, Problem> {
    let page = api.runner.trail(&tenant, TrailFilter { task: Some(id.clone()), ..filter }).await?;
    if page.entries.is_empty() {
        refuse_unknown(&api, &tenant, &id).await?;
    }
    Ok(Json(shown(&api, page)))
}

/// Those of all tasks.
pub(crate) async fn list_all(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(OfAll(filter)): Query<OfAll>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(shown(&api, api.runner.trail(&tenant, filter).await?)))
}

fn shown(api: &Api, page: TrailPage) -> wire::Page<wire::TrailEntry> {
    let entries = page.entries.into_iter().map(|entry| with_progress(api, entry)).collect();
    wire::Page::part::<wire::TrailEntry>(entries, page.next.map(|last| last.to_string()))
}

/// The store knows that an execution runs, and the runner how far it is.
fn with_progress(api: &Api, entry: TrailEntry) -> wire::TrailEntry {
    let is_running = entry.execution.status == ExecutionStatus::Running;
    let progress = if is_running { api.runner.progress(&entry.execution.id) } else { None };
    wire::TrailEntry::new(entry, progress)
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<ExecutionId>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(with_progress(&api, api.runner.trail_entry(&tenant, &id).await?)))
}

pub(crate) async fn logs(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<ExecutionId>,
    Query(page): Query<NumberedQuery>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(page.of::<LogLine, LogLine>(api.runner.logs(&tenant, &id).await?)))
}

/// Asks a running execution to end. It may take a moment; the answer is the execution as it is meanwhile.
pub(crate) async fn cancel(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<ExecutionId>,
) -> Result<impl IntoResponse, Problem> {
    api.runner.cancel_execution(&tenant, &id).await?;
    let execution = api.runner.trail_entry(&tenant, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(with_progress(&api, execution))))
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

/// `status`, `final`, `replayed`, `plugin`, `run`, `event`, `kind`, `since`, `until`, `limit`, `cursor`.
pub(crate) struct OfTask(TrailFilter);

impl FromQuery for OfTask {
    const KEYS: &'static [&'static str] = &[
        "status", "final", "replayed", "plugin", "run", "event", "kind", "since", "until", "limit", "cursor",
    ];

    fn read(parameters: &mut Parameters) -> Self {
        Self(filter(parameters))
    }
}

/// As [`OfTask`], and `task`.
pub(crate) struct OfAll(TrailFilter);

impl FromQuery for OfAll {
    const KEYS: &'static [&'static str] = &[
        "task", "status", "final", "replayed", "plugin", "run", "event", "kind", "since", "until", "limit",
        "cursor",
    ];

    fn read(parameters: &mut Parameters) -> Self {
        Self(TrailFilter { task: parameters.parsed("task", "invalid_id"), ..filter(parameters) })
    }
}

fn filter(parameters: &mut Parameters) -> TrailFilter {
    TrailFilter {
        task: None,
        plugin: parameters.parsed("plugin", "invalid_name"),
        status: parameters.choice("status", &["running", "success", "failed"]),
        run: parameters.parsed("run", "invalid_id"),
        event: parameters.parsed("event", "invalid_id"),
        kind: parameters.choice("kind", &FailureKind::ALL.map(FailureKind::as_str)),
        ends_run: parameters.flag("final"),
        is_replayed: parameters.flag("replayed"),
        since: parameters.instant("since"),
        until: parameters.instant("until"),
        before: parameters.cursor(),
        limit: parameters.limit(),
    }
}
