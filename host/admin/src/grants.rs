//! What plugins may reach.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_model::grants::Grants;
use innkeeper_model::id::PluginName;
use innkeeper_model::problem::FieldError;
use innkeeper_store::PluginPolicy;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::Tenant;
use crate::fields::Fields;
use crate::id::Id;
use crate::json::JsonBody;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;

/// Grants as answers show them: every list is there.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Grants)]
pub(crate) struct Answer {
    http: Vec<String>,
    key_value: Vec<String>,
    config: Vec<String>,
}

impl From<Grants> for Answer {
    fn from(grants: Grants) -> Self {
        let http = grants.http.iter().map(ToString::to_string).collect();
        Self { http, key_value: grants.key_value, config: grants.config }
    }
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(Answer::from(api.runner.plugin_policy(&tenant, &name).await?.grants)))
}

/// Makes the grants in the body the plugin's, for executions that start from now on.
pub(crate) async fn replace(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let grants = Grants::from_json(body).map_err(Problem::invalid)?;
    api.runner.set_plugin_grants(&tenant, &name, grants.clone()).await?;
    Ok(Json(Answer::from(grants)))
}

/// Adds the grants under `allow` to those of the plugin and takes those under `deny` from them, in one step.
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let Change { allow, deny } = Change::from_json(body).map_err(Problem::invalid)?;
    let change = move |policy: &mut PluginPolicy| {
        policy.grants.extend(&allow);
        policy.grants.deny(&deny);
    };
    let policy = api.runner.change_plugin_policy(&tenant, &name, change).await?;
    Ok(Json(Answer::from(policy.grants)))
}

/// A change of grants.
#[derive(Debug, Default, PartialEq)]
struct Change {
    allow: Grants,
    deny: Grants,
}

impl Change {
    fn from_json(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut problems = Vec::new();
        let mut fields = Fields::new("", body, &["allow", "deny"], &mut problems);
        let lists = ["allow", "deny"].map(|name| (name, fields.value(name)));
        let [allow, deny] = lists.map(|(name, value)| {
            let read = value.map(Grants::from_json).transpose();
            read.map_err(|more| problems.extend(more.into_iter().map(|problem| within(name, problem))))
                .ok()
                .flatten()
                .unwrap_or_default()
        });
        if problems.is_empty() { Ok(Self { allow, deny }) } else { Err(problems) }
    }
}

/// The problem of a list within one of the two.
fn within(name: &str, mut problem: FieldError) -> FieldError {
    problem.field =
        if problem.field == "body" { name.to_owned() } else { format!("{name}.{}", problem.field) };
    problem
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_names_what_comes_and_what_goes() {
        let change =
            Change::from_json(json!({"allow": {"keyValue": ["x"]}, "deny": null})).expect("a change");
        assert_eq!((change.allow.key_value, change.deny), (vec!["x".to_owned()], Grants::default()));
        let wrong = json!({"allow": {"http": ["gopher://x"]}, "deny": 1, "refuse": {}});
        let mut fields: Vec<_> =
            Change::from_json(wrong).expect_err("wrong").into_iter().map(|problem| problem.field).collect();
        fields.sort();
        assert_eq!(fields, ["allow.http[0]", "deny", "refuse"]);
    }
}
