//! Tenants: creating, finding, changing, and what becomes of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use innkeeper_model::id::TenantId;
use innkeeper_model::problem::FieldError;
use innkeeper_model::quota::{QuotaWishes, Quotas};
use innkeeper_model::tenant::{TenantSettings, TenantStatus};
use innkeeper_model::time::Timestamp;
use innkeeper_runner::TenantView;
use innkeeper_store::TenantUsage;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::auth::Tenant;
use crate::fields::Fields;
use crate::id::Id;
use crate::json::JsonBody;
use crate::limits::{self, EffectiveLimits};
use crate::openapi::{bodies, values};
use crate::paging::PageQuery;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(page.of::<_, Shown>(api.runner.tenants(), |tenant| tenant.tenant.id.as_str())))
}

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    JsonBody(mut body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let id = body.as_object_mut().and_then(|fields| fields.remove("id")).unwrap_or(Value::Null);
    let mut problems = Vec::new();
    let id = read_id(&id, &mut problems);
    let settings = merged(&TenantSettings::default(), body, &mut problems);
    let (Some(id), []) = (id, problems.as_slice()) else { return Err(Problem::invalid(problems)) };
    let tenant = api.runner.create_tenant(id, settings).await?;
    let location = format!("/v1/tenants/{}", tenant.tenant.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(Shown::from(tenant))))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Id(id): Id<TenantId>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    with_usage(&api, &id).await
}

/// The caller's own tenant.
pub(crate) async fn show_own(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    with_usage(&api, &tenant).await
}

/// Changes what the body names (RFC 7396): `null` brings back the default.
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Id(id): Id<TenantId>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let tenant = api.runner.tenant(&id)?.tenant;
    let mut problems = Vec::new();
    let settings = merged(&tenant.settings, body, &mut problems);
    if !problems.is_empty() {
        return Err(Problem::invalid(problems));
    }
    Ok(Json(Shown::from(api.runner.set_tenant(&id, settings).await?)))
}

pub(crate) async fn delete(State(api): State<Arc<Api>>, Id(id): Id<TenantId>) -> Result<StatusCode, Problem> {
    api.runner.delete_tenant(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn disable(
    State(api): State<Arc<Api>>,
    Id(id): Id<TenantId>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(Shown::from(api.runner.disable_tenant(&id).await?)))
}

pub(crate) async fn enable(
    State(api): State<Arc<Api>>,
    Id(id): Id<TenantId>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(Shown::from(api.runner.enable_tenant(&id).await?)))
}

async fn with_usage(api: &Api, id: &TenantId) -> Result<Json<Shown>, Problem> {
    let tenant = api.runner.tenant(id)?;
    let usage = api.runner.tenant_usage(id).await?;
    Ok(Json(Shown { usage: Some(usage.into()), ..Shown::from(tenant) }))
}

/// A tenant: what is set for it, what holds for it, and what it uses.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tenant)]
pub(crate) struct Shown {
    #[schema(value_type = values::TenantId)]
    id: TenantId,
    #[schema(value_type = values::TenantStatusName)]
    status: TenantStatus,
    #[schema(value_type = values::Instant)]
    created_at: Timestamp,
    weight: u32,
    timezone: Option<String>,
    #[schema(value_type = bodies::LimitsConfig)]
    limits: Map<String, Value>,
    effective_limits: EffectiveLimits,
    #[schema(value_type = bodies::QuotasConfig)]
    quotas: QuotaWishes,
    #[schema(value_type = values::EffectiveQuotas)]
    effective_quotas: Quotas,
    running: u32,
    queued_runs: u64,
    /// Counted, which takes a moment: only where one tenant is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

/// What a tenant has stored.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TenantUsage)]
struct Usage {
    tasks: u64,
    plugins: u64,
    stored_bytes: u64,
}

impl From<TenantUsage> for Usage {
    fn from(usage: TenantUsage) -> Self {
        Self { tasks: usage.tasks, plugins: usage.plugins, stored_bytes: usage.stored_bytes }
    }
}

impl From<TenantView> for Shown {
    fn from(view: TenantView) -> Self {
        let settings = view.tenant.settings;
        Self {
            id: view.tenant.id,
            status: view.tenant.status,
            created_at: view.tenant.created_at,
            weight: settings.weight,
            timezone: settings.timezone,
            limits: limits::written(&settings.limits),
            effective_limits: view.limits.into(),
            quotas: settings.quotas,
            effective_quotas: view.quotas,
            running: view.running,
            queued_runs: view.queued_runs,
            usage: None,
        }
    }
}

fn read_id(id: &Value, problems: &mut Vec<FieldError>) -> Option<TenantId> {
    let text = match id {
        Value::Null => {
            problems.push(FieldError::new("id", "missing", "is required"));
            return None;
        }
        Value::String(text) => text,
        _ => {
            problems.push(FieldError::new("id", "wrong_type", "must be a string"));
            return None;
        }
    };
    text.parse()
        .map_err(|error: innkeeper_model::id::InvalidId| {
            problems.push(FieldError::new("id", "invalid_id", error.to_string()));
        })
        .ok()
}

const KEYS: [&str; 4] = ["weight", "timezone", "limits", "quotas"];

/// `settings` with what `patch` names.
fn merged(settings: &TenantSettings, patch: Value, problems: &mut Vec<FieldError>) -> TenantSettings {
    let has = |key: &str| patch.get(key).is_some();
    let (has_weight, has_timezone) = (has("weight"), has("timezone"));
    let mut fields = Fields::new("", patch, &KEYS, problems);
    let weight = fields.count("weight", innkeeper_model::tenant::WEIGHT_MAX);
    let timezone = fields.text("timezone");
    let limits_patch = fields.entry("limits");
    let quotas_patch = fields.entry("quotas");
    let limits = match limits_patch {
        None => settings.limits,
        Some(patch) => {
            let merged = merge(limits::written(&settings.limits), patch, "limits", problems);
            let read = limits::read(Value::Object(merged));
            read.unwrap_or_else(|errors| {
                problems.extend(errors);
                settings.limits
            })
        }
    };
    let quotas = match quotas_patch {
        None => settings.quotas,
        Some(patch) => {
            let before = serde_json::to_value(settings.quotas).ok();
            let before = before.and_then(|value| value.as_object().cloned()).unwrap_or_default();
            read_quotas(merge(before, patch, "quotas", problems), problems)
        }
    };
    TenantSettings {
        weight: if has_weight { weight.unwrap_or(1) } else { settings.weight },
        timezone: if has_timezone { timezone } else { settings.timezone.clone() },
        limits,
        quotas,
    }
}

/// A JSON object with what a patch changes in it (RFC 7396, one level deep).
fn merge(
    mut object: Map<String, Value>,
    patch: Value,
    field: &str,
    problems: &mut Vec<FieldError>,
) -> Map<String, Value> {
    match patch {
        Value::Null => return Map::new(),
        Value::Object(patch) => {
            for (key, value) in patch {
                if value.is_null() {
                    object.remove(&key);
                } else {
                    object.insert(key, value);
                }
            }
        }
        _ => problems.push(FieldError::new(field, "wrong_type", "must be an object")),
    }
    object
}

fn read_quotas(object: Map<String, Value>, problems: &mut Vec<FieldError>) -> QuotaWishes {
    let keys = innkeeper_model::quota::Quota::ALL.map(innkeeper_model::quota::Quota::as_str);
    let mut fields = Fields::new("quotas.", Value::Object(object), &keys, problems);
    QuotaWishes {
        concurrency: fields.count("concurrency", u32::MAX),
        queued_runs: fields.whole("queuedRuns"),
        stored_bytes: fields.whole("storedBytes"),
        plugins: fields.whole("plugins"),
        tasks: fields.whole("tasks"),
        events_per_second: fields.whole("eventsPerSecond"),
        uploads_per_hour: fields.whole("uploadsPerHour"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merge_into(settings: &TenantSettings, patch: Value) -> Result<TenantSettings, Vec<FieldError>> {
        let mut problems = Vec::new();
        let merged = merged(settings, patch, &mut problems);
        if problems.is_empty() { Ok(merged) } else { Err(problems) }
    }

    #[test]
    fn a_patch_changes_what_it_names_and_null_brings_back_the_default() {
        let first = merge_into(
            &TenantSettings::default(),
            json!({"weight": 3, "timezone": "Europe/Rome", "limits": {"fuel": 5, "timeout": "1s"},
                "quotas": {"tasks": 7, "concurrency": 2}}),
        );
        let first = first.expect("settings");
        assert_eq!((first.weight, first.timezone.as_deref()), (3, Some("Europe/Rome")));
        let second = merge_into(&first, json!({"limits": {"fuel": null}, "quotas": {"tasks": 8}}));
        let second = second.expect("settings");
        assert_eq!((second.limits.fuel, second.limits.timeout), (None, first.limits.timeout));
        assert_eq!((second.quotas.tasks, second.quotas.concurrency), (Some(8), Some(2)));
        assert_eq!((second.weight, second.timezone.clone()), (3, first.timezone));
        let cleared = json!({"weight": null, "timezone": null, "limits": null, "quotas": null});
        assert_eq!(merge_into(&second, cleared), Ok(TenantSettings::default()));
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let patch = json!({"wieght": 1, "weight": 0, "limits": {"feul": 1}, "quotas": {"tasks": -1, "concurrency": 0}});
        let problems = merge_into(&TenantSettings::default(), patch).expect_err("wrong");
        let mut fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["limits.feul", "quotas.concurrency", "quotas.tasks", "weight", "wieght"]);
    }
}
