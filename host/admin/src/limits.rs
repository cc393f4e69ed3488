//! Limits of executions, as they are written in JSON: those that somebody has set, and those that are enforced.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_model::id::{PluginName, TenantId};
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
use crate::openapi::bodies::PluginLimitsConfig as PluginLimitsDescribed;
use crate::openapi::values;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;

/// What is set for a plugin, and what holds for its executions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PluginLimits {
    #[schema(value_type = PluginLimitsDescribed)]
    limits: Map<String, Value>,
    effective_limits: EffectiveLimits,
    /// Executions of the plugin at once, of all its tasks together.
    effective_concurrency: u32,
}

impl PluginLimits {
    fn new(api: &Api, tenant: &TenantId, name: &PluginName, policy: &PluginPolicy) -> Self {
        let limits = written_of_plugin(policy);
        let effective_limits = api.runner.limits_of_plugin(tenant, name).into();
        let effective_concurrency = api.runner.concurrency_of_plugin(tenant, name);
        Self { limits, effective_limits, effective_concurrency }
    }
}

/// What a plugin's executions are limited to by their plugin, as it could have been written.
pub(crate) fn written_of_plugin(policy: &PluginPolicy) -> Map<String, Value> {
    let mut limits = written(&policy.limits);
    limits.extend(policy.concurrency.map(|most| (CONCURRENCY.to_owned(), most.into())));
    limits
}

/// The limit that a plugin has beside those of each of its executions.
const CONCURRENCY: &str = "concurrency";

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let policy = api.runner.plugin_policy(&tenant, &name).await?;
    Ok(Json(PluginLimits::new(&api, &tenant, &name, &policy)))
}

/// Replaces the limits of a plugin; what is left out is not limited further.
pub(crate) async fn replace(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let (limits, concurrency) = read_of_plugin(body).map_err(Problem::invalid)?;
    let replace = move |policy: &mut PluginPolicy| {
        policy.limits = limits;
        policy.concurrency = concurrency;
    };
    let policy = api.runner.change_plugin_policy(&tenant, &name, replace).await?;
    Ok(Json(PluginLimits::new(&api, &tenant, &name, &policy)))
}

/// Limits of a plugin from JSON: those of its executions, and how many there may be at once.
pub(crate) fn read_of_plugin(mut body: Value) -> Result<(LimitWishes, Option<u32>), Vec<FieldError>> {
    let concurrency = body.as_object_mut().and_then(|body| body.remove(CONCURRENCY));
    let concurrency = concurrency.filter(|value| !value.is_null());
    let most = concurrency.as_ref().map(|value| value.as_u64().and_then(|most| u32::try_from(most).ok()));
    let is_wrong = matches!(most, Some(None | Some(0)));
    let problem = || {
        let found = concurrency.as_ref().map(Value::to_string).unwrap_or_default();
        let message = format!("is {found}; must be a whole number from 1 to {}", u32::MAX);
        FieldError::new(CONCURRENCY, "out_of_range", message)
    };
    let mut problems: Vec<_> = is_wrong.then(problem).into_iter().collect();
    match read(body).map_err(unprefixed) {
        Ok(limits) if problems.is_empty() => Ok((limits, most.flatten())),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
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
    fn a_plugin_has_a_concurrency_beside() {
        let (limits, concurrency) = read_of_plugin(json!({"fuel": 1, "concurrency": 2})).expect("limits");
        assert_eq!((limits.fuel, concurrency), (Some(1), Some(2)));
        assert_eq!(read_of_plugin(json!({"concurrency": null})), Ok((LimitWishes::default(), None)));
        for wrong in [json!(0), json!(-1), json!(1.5), json!("2"), json!(1_u64 << 32)] {
            let problems = read_of_plugin(json!({"concurrency": wrong, "feul": 1})).expect_err("wrong");
            let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
            assert_eq!(fields, ["concurrency", "feul"], "{wrong}");
        }
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
