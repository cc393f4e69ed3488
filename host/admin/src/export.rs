//! What a tenant has, in the form in which it is declared.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_model::id::{Digest, PluginName, TaskId, TenantId};
use innkeeper_runner::TaskRunner;
use innkeeper_schedule::preset;
use innkeeper_store::TaskFilter;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::auth::Tenant;
use crate::authored;
use crate::openapi::bodies::TaskConfig;
use crate::openapi::declaration::{GrantsOrNone, LimitsOrNone};
use crate::openapi::values;
use crate::problem::Problem;
use crate::query::{FromQuery, Parameters, Query};
use crate::router::Api;
use crate::wire::Preset;

/// Values that are read at once.
const PAGE: u32 = 1000;

/// What a tenant has. Presets, plugins and values are on the first page only.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Exported)]
pub(crate) struct Answer {
    /// Those that are not built in.
    presets: Vec<Preset>,
    plugins: Vec<Plugin>,
    config: Vec<ConfiguredValue>,
    #[schema(value_type = Vec<TaskConfig>)]
    tasks: Vec<Map<String, Value>>,
    /// What to send as `cursor` for the next page of tasks; `null` on the last one.
    next_cursor: Option<String>,
}

/// A plugin, without its component.
#[derive(Serialize, ToSchema)]
#[schema(as = ExportedPlugin)]
pub(crate) struct Plugin {
    #[schema(value_type = values::PluginName)]
    name: PluginName,
    #[schema(value_type = values::Digest)]
    digest: Digest,
    #[schema(value_type = GrantsOrNone)]
    grants: Value,
    #[schema(value_type = LimitsOrNone)]
    limits: Value,
}

/// A configured value. A secret's is `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = ExportedValue)]
pub(crate) struct ConfiguredValue {
    key: String,
    value: Option<String>,
    secret: bool,
}

/// `limit` and `cursor` of the tasks.
pub(crate) struct TaskPage {
    limit: u32,
    after: Option<TaskId>,
}

impl FromQuery for TaskPage {
    const KEYS: &'static [&'static str] = &["limit", "cursor"];

    fn read(parameters: &mut Parameters) -> Self {
        Self { limit: parameters.limit(), after: parameters.cursor() }
    }
}

pub(crate) async fn export(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(TaskPage { limit, after }): Query<TaskPage>,
) -> Result<impl IntoResponse, Problem> {
    let runner = &api.runner;
    let is_first = after.is_none();
    let mut tasks =
        runner.tasks(&tenant, TaskFilter { after, limit: limit + 1, ..TaskFilter::default() }).await?;
    let is_more = tasks.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    tasks.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = tasks.last().filter(|_| is_more).map(|task| task.definition.id.to_string());
    let tasks = tasks.into_iter().map(|task| authored::task(task, runner.now())).collect();
    let mut answer =
        Answer { presets: Vec::new(), plugins: Vec::new(), config: Vec::new(), tasks, next_cursor };
    if is_first {
        answer.presets = presets(runner).await?;
        answer.plugins = plugins(runner, &tenant).await?;
        answer.config = values_of(runner, &tenant).await?;
    }
    Ok(Json(answer))
}

async fn presets(runner: &TaskRunner) -> Result<Vec<Preset>, Problem> {
    let presets = runner.presets().await?.into_iter();
    Ok(presets.filter(|kept| preset::find(&kept.name).is_none()).map(Preset::from).collect())
}

async fn plugins(runner: &TaskRunner, tenant: &TenantId) -> Result<Vec<Plugin>, Problem> {
    let mut plugins = Vec::new();
    for plugin in runner.plugins(tenant).await? {
        let policy = runner.plugin_policy(tenant, &plugin.name).await?;
        let (grants, limits) = (authored::grants(&policy.grants), authored::plugin_limits(&policy));
        // One that was never activated is not in use.
        let Some(digest) = plugin.digest else { continue };
        plugins.push(Plugin { name: plugin.name, digest, grants, limits });
    }
    Ok(plugins)
}

async fn values_of(runner: &TaskRunner, tenant: &TenantId) -> Result<Vec<ConfiguredValue>, Problem> {
    let mut values = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = runner.config_entries(tenant, after.as_deref(), PAGE).await?;
        after = page.last().map(|entry| entry.key.clone());
        values.extend(page.into_iter().map(|entry| {
            let secret = entry.value.is_none();
            ConfiguredValue { key: entry.key, value: entry.value, secret }
        }));
        if after.is_none() {
            return Ok(values);
        }
    }
}
