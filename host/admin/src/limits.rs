//! Limits of executions, as they are written in JSON: those that somebody has set, and those that are enforced.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_model::id::PluginName;
use innkeeper_model::limits::{LimitWishes, Limits};
use innkeeper_model::problem::FieldError;
use innkeeper_model::task_config::LimitsConfig;
use innkeeper_runner::define_limits;
use innkeeper_schedule::duration::format_duration;
use innkeeper_store::PluginPolicy;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::auth::Tenant;
use crate::id::Id;
use crate::json::JsonBody;
use crate::openapi::bodies::LimitsConfig as LimitsDescribed;
use crate::openapi::values;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;

/// What is set for a plugin, and what holds for its executions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PluginLimits {
    #[schema(value_type = LimitsDescribed)]
    limits: Map<String, Value>,
    effective_limits: EffectiveLimits,
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let policy = api.runner.plugin_policy(&tenant, &name).await?;
    let effective_limits = api.runner.limits_of_plugin(&tenant, &name).into();
    Ok(Json(PluginLimits { limits: written(&policy.limits), effective_limits }))
}

/// Replaces the limits of a plugin; what is left out is not limited further.
pub(crate) async fn replace(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let policy = api.runner.plugin_policy(&tenant, &name).await?;
    let limits = read(body).map_err(unprefixed).map_err(Problem::invalid)?;
    api.runner.set_plugin_policy(&tenant, &name, PluginPolicy { limits, ..policy }).await?;
    let effective_limits = api.runner.limits_of_plugin(&tenant, &name).into();
    Ok(Json(PluginLimits { limits: written(&limits), effective_limits }))
}

/// Limits from JSON; the fields of problems begin with `limits.`.
pub(crate) fn read(value: Value) -> Result<LimitWishes, Vec<FieldError>> {
    define_limits(&LimitsConfig::from_json(value)?)
}

/// Limits as somebody could have written them; only what is set.
pub(crate) fn written(wishes: &LimitWishes) -> Map<String, Value> {
    let values = [
        ("fuel", wishes.fuel.map(Value::from)),
        ("timeout", wishes.timeout.map(|timeout| format_duration(timeout).into())),
        ("memory", wishes.memory_bytes.map(Value::from)),
        ("output", wishes.output_bytes.map(Value::from)),
        ("log", wishes.log_bytes.map(Value::from)),
        ("hostCalls", wishes.host_calls.map(Value::from)),
        ("events", wishes.events.map(Value::from)),
        ("keyValue", wishes.key_value_bytes.map(Value::from)),
        ("egressRequests", wishes.egress_requests.map(Value::from)),
        ("egressBytes", wishes.egress_bytes.map(Value::from)),
    ];
    values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn unprefixed(mut problems: Vec<FieldError>) -> Vec<FieldError> {
    for problem in &mut problems {
        let field = problem.field.strip_prefix("limits").unwrap_or(&problem.field);
        let field = field.trim_start_matches('.');
        problem.field = if field.is_empty() { "body" } else { field }.to_owned();
    }
    problems
}

/// The limits that are enforced, in the names in which a task asks for them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EffectiveLimits {
    fuel: u64,
    #[schema(value_type = values::Duration)]
    timeout: String,
    /// Bytes.
    memory: u64,
    /// Bytes.
    output: u64,
    /// Bytes.
    log: u64,
    host_calls: u64,
    events: u64,
    /// Bytes.
    key_value: u64,
    egress_requests: u64,
    egress_bytes: u64,
}

impl From<Limits> for EffectiveLimits {
    fn from(limits: Limits) -> Self {
        Self {
            fuel: limits.fuel,
            timeout: format_duration(limits.timeout),
            memory: limits.memory_bytes,
            output: limits.output_bytes,
            log: limits.log_bytes,
            host_calls: limits.host_calls,
            events: limits.events,
            key_value: limits.key_value_bytes,
            egress_requests: limits.egress_requests,
            egress_bytes: limits.egress_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_limit_is_read_and_written_by_the_same_name() {
        let text = json!({
            "fuel": 1, "timeout": "2s", "memory": 3, "output": 4, "log": 5, "hostCalls": 6, "events": 7,
            "keyValue": 8, "egressRequests": 9, "egressBytes": 10,
        });
        let wishes = read(text.clone()).expect("limits");
        assert_eq!(Value::Object(written(&wishes)), text);
        let enforced = serde_json::to_value(EffectiveLimits::from(Limits::DEFAULT.narrowed(&wishes)));
        assert_eq!(enforced.expect("JSON"), text, "and shown by it");
        assert!(written(&LimitWishes::default()).is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_as_it_was_sent() {
        let problems = read(json!({"feul": 1, "timeout": "soon"})).map_err(unprefixed).expect_err("wrong");
        assert!(problems.iter().any(|problem| problem.field == "feul"), "{problems:?}");
        let problems = read(json!({"timeout": "0s"})).map_err(unprefixed).expect_err("wrong");
        assert_eq!(problems[0].field, "timeout");
        assert_eq!(read(json!([])).map_err(unprefixed).expect_err("wrong")[0].field, "body");
    }
}
