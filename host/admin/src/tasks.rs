//! Tasks: creating, finding, controlling, starting.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use innkeeper_model::id::{TaskId, TenantId};
use innkeeper_model::problem::FieldError;
use innkeeper_model::task::{Task, TaskStatus};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::topic::EventName;
use innkeeper_runner::ManualRequest;
use innkeeper_store::{Skip, TaskFilter};
use serde_json::Value;

use crate::auth::Tenant;
use crate::dry_run::DryRun;
use crate::etag::{If, tagged};
use crate::fields::Fields;
use crate::id::{Id, path_segment};
use crate::idempotency::{IdempotencyKey, agree};
use crate::json::{JsonBody, OptionalJsonBody};
use crate::problem::Problem;
use crate::query::{FromQuery, Parameters, Query};
use crate::router::Api;
use crate::trace::Cause;
use crate::wire;

/// Due times that one answer holds at most.
const COUNT_MAX: u32 = 1000;

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let config = read(&api, &tenant, body).await?;
    let task = api.runner.create_task(&tenant, config).await?;
    let location = format!("/v1/tasks/{}", path_segment(task.definition.id.as_str()));
    let tag = tagged(&task.tag());
    Ok((StatusCode::CREATED, tag, [(LOCATION, location)], Json(api.show(&tenant, task))))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(TaskQuery { filter, limit }): Query<TaskQuery>,
) -> Result<impl IntoResponse, Problem> {
    let tasks = api.runner.tasks(&tenant, filter).await?;
    let cursor = |last: &Task| last.definition.id.to_string();
    Ok(Json(wire::Page::first(tasks, limit, cursor, |task| api.show(&tenant, task))))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<TaskId>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let task = api.runner.get_task(&tenant, &id).await?;
    let waiting_for = api.runner.why(&tenant, &id).await?;
    Ok((tagged(&task.tag()), Json(wire::TaskAndWhy { task: api.show(&tenant, task), waiting_for })))
}

/// Creates the task, or defines it anew. The body's `id` may be left out; if it is there it is the path's. A dry run only
/// answers with what the task would be.
pub(crate) async fn replace(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<TaskId>,
    Query(DryRun { is_dry, assumed }): Query<DryRun>,
    If(precondition): If,
    JsonBody(mut body): JsonBody,
) -> Result<Response, Problem> {
    if let Value::Object(fields) = &mut body {
        let given = fields.entry("id").or_insert_with(|| id.as_str().into());
        if given != id.as_str() {
            let message = format!("is {given}, but the path names `{id}`");
            return Err(Problem::invalid(vec![FieldError::new("id", "id_mismatch", message)]));
        }
    }
    let config = read(&api, &tenant, body).await?;
    if is_dry {
        let task = api.runner.try_task(&tenant, config, &assumed, &precondition).await?;
        // It has no tag: it is not there.
        return Ok(Json(api.show(&tenant, task)).into_response());
    }
    let (task, is_new) = api.runner.replace_task_if(&tenant, config, precondition).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, tagged(&task.tag()), Json(api.show(&tenant, task))).into_response())
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<TaskId>,
    If(precondition): If,
) -> Result<StatusCode, Problem> {
    api.runner.delete_task_if(&tenant, &id, precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn pause(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<TaskId>,
) -> Result<impl IntoResponse, Problem> {
    api.runner.pause_task(&tenant, &id).await?;
    let task = api.runner.get_task(&tenant, &id).await?;
    Ok((tagged(&task.tag()), Json(api.show(&tenant, task))))
}

pub(crate) async fn resume(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<TaskId>,
) -> Result<impl IntoResponse, Problem> {
    api.runner.resume_task(&tenant, &id).await?;
    let task = api.runner.get_task(&tenant, &id).await?;
    Ok((tagged(&task.tag()), Json(api.show(&tenant, task))))
}

pub(crate) async fn run(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<TaskId>,
    IdempotencyKey(key): IdempotencyKey,
    Cause(cause): Cause,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<impl IntoResponse, Problem> {
    let request = read_request(body, key).map_err(Problem::invalid)?;
    let run_id = api.runner.start_task(&tenant, &id, ManualRequest { cause, ..request }).await?;
    Ok((StatusCode::ACCEPTED, Json(wire::Started { run_id })))
}

pub(crate) async fn next_runs(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<TaskId>,
    Query(Count(count)): Query<Count>,
) -> Result<impl IntoResponse, Problem> {
    let next = wire::Page::whole(api.runner.next_runs(&tenant, &id, count).await?);
    let previous_run_at = api.runner.previous_run(&tenant, &id).await?;
    Ok(Json(wire::DueTimes { next, previous_run_at }))
}

pub(crate) async fn skips(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<TaskId>,
    Query(SkipQuery { before, limit }): Query<SkipQuery>,
) -> Result<impl IntoResponse, Problem> {
    let skips = api.runner.skips_before(&tenant, &id, before, limit + 1).await?;
    let cursor = |(id, _): &(i64, Skip)| id.to_string();
    Ok(Json(wire::Page::first(skips, limit, cursor, |(_, skip)| wire::Skip::from(skip))))
}

impl Api {
    fn show(&self, tenant: &TenantId, task: Task) -> wire::Task {
        let limits = self.runner.limits_of(tenant, &task.definition);
        let concurrency = self.runner.concurrency_of(tenant, &task.definition);
        wire::Task::new(task, limits, concurrency)
    }
}

/// The problem of a body that is no object has no field of its own.
/// The task that a body describes. One of a wrong form is told all else that is wrong with it, too.
async fn read(api: &Api, tenant: &TenantId, body: Value) -> Result<TaskConfig, Problem> {
    let is_object = body.is_object();
    let (config, form) = TaskConfig::read(body);
    if form.is_empty() {
        return Ok(config);
    }
    let all = if is_object { api.runner.task_problems(tenant, config, form).await } else { form };
    Err(Problem::invalid(name_the_body(all)))
}

fn name_the_body(mut problems: Vec<FieldError>) -> Vec<FieldError> {
    for problem in problems.iter_mut().filter(|problem| problem.field.is_empty()) {
        "body".clone_into(&mut problem.field);
    }
    problems
}

/// What a manual run is given: `{event?, data?, idempotencyKey?}`, and the key of the header.
fn read_request(body: Option<Value>, header: Option<String>) -> Result<ManualRequest, Vec<FieldError>> {
    let Some(body) = body else {
        return Ok(ManualRequest { idempotency_key: header, ..ManualRequest::default() });
    };
    let mut problems = Vec::new();
    let mut fields = Fields::new("", body, &["event", "data", "idempotencyKey"], &mut problems);
    let (event, data) = (fields.text("event"), fields.value("data"));
    let key = agree(header, fields.text("idempotencyKey"));
    if let Some(Err(error)) = event.as_ref().map(|event| event.parse::<EventName>()) {
        problems.push(FieldError::new("event", "invalid_event_name", error.to_string()));
    }
    let idempotency_key = key.map_err(|problem| problems.push(problem)).unwrap_or_default();
    if problems.is_empty() {
        Ok(ManualRequest { event, data, idempotency_key, cause: None })
    } else {
        Err(problems)
    }
}

/// `status`, `type`, `limit`, `cursor`.
pub(crate) struct TaskQuery {
    filter: TaskFilter,
    limit: u32,
}

impl FromQuery for TaskQuery {
    const KEYS: &'static [&'static str] = &["status", "type", "limit", "cursor"];

    fn read(parameters: &mut Parameters) -> Self {
        let limit = parameters.limit();
        let filter = TaskFilter {
            status: parameters.choice("status", &TaskStatus::ALL.map(TaskStatus::as_str)),
            task_type: parameters.choice("type", &["schedule", "event"]),
            after: parameters.cursor::<TaskId>(),
            limit: limit + 1,
        };
        Self { filter, limit }
    }
}

/// `limit` and `cursor`.
pub(crate) struct SkipQuery {
    before: Option<i64>,
    limit: u32,
}

impl FromQuery for SkipQuery {
    const KEYS: &'static [&'static str] = &["limit", "cursor"];

    fn read(parameters: &mut Parameters) -> Self {
        Self { before: parameters.cursor(), limit: parameters.limit() }
    }
}

/// `count`.
pub(crate) struct Count(usize);

impl FromQuery for Count {
    const KEYS: &'static [&'static str] = &["count"];

    fn read(parameters: &mut Parameters) -> Self {
        Self(usize::try_from(parameters.count("count", 10, COUNT_MAX)).unwrap_or(1))
    }
}
