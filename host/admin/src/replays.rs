//! Running failed runs again.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use innkeeper_model::id::ExecutionId;
use innkeeper_model::problem::FieldError;
use innkeeper_store::DeadFilter;
use serde_json::Value;

use crate::auth::Tenant;
use crate::fields::Fields;
use crate::id::Id;
use crate::json::OptionalJsonBody;
use crate::problem::Problem;
use crate::router::Api;
use crate::trace::Cause;
use crate::wire;

const KEYS: [&str; 7] = ["task", "plugin", "kind", "since", "until", "limit", "dryRun"];

/// Runs that are run again unless the client asks for another number.
const LIMIT_DEFAULT: u32 = 1000;

/// Runs that one request runs again at most.
const LIMIT_MAX: u32 = 10_000;

/// Starts a run like the one that ended as failed with this execution.
pub(crate) async fn replay(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(id): Id<ExecutionId>,
    Cause(cause): Cause,
) -> Result<impl IntoResponse, Problem> {
    let repeated = api.runner.replay(&tenant, id, cause).await?;
    Ok((StatusCode::ACCEPTED, Json(wire::Repeated::from(repeated))))
}

/// Starts runs like those that ended as failed, as many as the filter lets through.
pub(crate) async fn redrive(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Cause(cause): Cause,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<impl IntoResponse, Problem> {
    let Wish { filter, limit, dry_run } = read(body).map_err(Problem::invalid)?;
    let report = api.runner.redrive(&tenant, filter, limit, dry_run, cause).await?;
    let status = if dry_run { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(wire::RedriveAnswer::new(report, dry_run))))
}

/// What is to be run again.
#[derive(Debug, PartialEq)]
struct Wish {
    filter: DeadFilter,
    limit: u32,
    dry_run: bool,
}

fn read(body: Option<Value>) -> Result<Wish, Vec<FieldError>> {
    let mut problems = Vec::new();
    let body = body.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let mut fields = Fields::new("", body, &KEYS, &mut problems);
    let [task, plugin, kind] = ["task", "plugin", "kind"].map(|key| fields.text(key));
    let [since, until] = ["since", "until"].map(|key| fields.text(key));
    let limit = fields.count("limit", LIMIT_MAX).unwrap_or(LIMIT_DEFAULT);
    let dry_run = fields.value("dryRun").unwrap_or(Value::Bool(false));
    if !dry_run.is_boolean() {
        problems.push(FieldError::new("dryRun", "wrong_type", "must be `true` or `false`"));
    }
    let filter = DeadFilter {
        task: parsed("task", "invalid_id", task, &mut problems),
        plugin: parsed("plugin", "invalid_name", plugin, &mut problems),
        kind: parsed("kind", "unknown_value", kind, &mut problems),
        since: parsed("since", "invalid_timestamp", since, &mut problems),
        until: parsed("until", "invalid_timestamp", until, &mut problems),
    };
    let dry_run = dry_run == Value::Bool(true);
    if problems.is_empty() { Ok(Wish { filter, limit, dry_run }) } else { Err(problems) }
}

fn parsed<T: FromStr<Err: Display>>(
    field: &str,
    code: &str,
    text: Option<String>,
    problems: &mut Vec<FieldError>,
) -> Option<T> {
    let note = |error: T::Err| problems.push(FieldError::new(field, code, error.to_string()));
    text?.parse().map_err(note).ok()
}

#[cfg(test)]
mod tests {
    use innkeeper_model::execution::FailureKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn without_a_body_everything_is_run_again() {
        let all = Wish { filter: DeadFilter::default(), limit: LIMIT_DEFAULT, dry_run: false };
        assert_eq!(read(None), Ok(all));
        let some = read(Some(json!({"kind": "timeout", "limit": 5, "dryRun": true}))).expect("a wish");
        assert_eq!(
            (some.filter.kind.map(FailureKind::as_str), some.limit, some.dry_run),
            (Some("timeout"), 5, true)
        );
    }

    #[test]
    fn every_problem_is_found() {
        let body = json!({"task": "a b", "plugin": "A", "kind": "slow", "since": "now", "until": 5, "limit": 0,
            "dryRun": "yes", "dry": 1});
        let problems = read(Some(body)).expect_err("all is wrong");
        let mut fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["dry", "dryRun", "kind", "limit", "plugin", "since", "task", "until"]);
    }
}
