//! Bringing a tenant to what is declared, in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_model::access::Role;
use innkeeper_model::id::Digest;
use innkeeper_runner::{ApplyPlan, Declaration, DeclaredValue, PlannedPlugin, PlannedTask, PlannedValue};
use innkeeper_store::{Preset, StoreError};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::auth::{By, Identity, Tenant};
use crate::etag::{If, tagged};
use crate::json::JsonBody;
use crate::openapi::values::{self, AnyJson};
use crate::problem::Problem;
use crate::query::{FromQuery, Parameters, Query};
use crate::router::Api;
use crate::{authored, declaration};

/// What has to change for a declaration to hold, or has changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Applied)]
pub(crate) struct Answer {
    changes: Vec<Change>,
    /// Components that were not uploaded yet; they are needed for the changes.
    #[schema(value_type = Vec<values::Digest>)]
    missing: Vec<Digest>,
    dry_run: bool,
}

/// One thing that differs from what is declared.
#[derive(Serialize, ToSchema)]
#[schema(as = AppliedChange)]
pub(crate) struct Change {
    /// `create`, `change` or `delete`.
    action: &'static str,
    /// `preset`, `plugin`, `config` or `task`.
    kind: &'static str,
    name: String,
    /// What of it differs.
    fields: BTreeMap<String, Difference>,
}

/// What something is, and what it is to be; `null` stands for nothing. The text of a secret is in neither.
#[derive(Serialize, ToSchema)]
pub(crate) struct Difference {
    #[schema(value_type = AnyJson)]
    from: Value,
    #[schema(value_type = AnyJson)]
    to: Value,
}

/// `dryRun`.
pub(crate) struct OnlyDry(bool);

impl FromQuery for OnlyDry {
    const KEYS: &'static [&'static str] = &["dryRun"];

    fn read(parameters: &mut Parameters) -> Self {
        Self(parameters.choice("dryRun", &["true", "false"]).unwrap_or(false))
    }
}

/// Changes what differs from what the body declares, or only says what does. The tag of the answer stands for the changes:
/// with `If-Match` nothing else is changed than what an answer showed.
pub(crate) async fn apply(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    By(identity): By,
    Query(OnlyDry(is_dry)): Query<OnlyDry>,
    If(precondition): If,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let declared = declaration::read(body).map_err(Problem::invalid)?;
    refuse_guesses(&identity, &declared)?;
    let plan = api.runner.plan(&tenant, declared).await?;
    refuse_beyond_role(&identity, &plan)?;
    let answer = Answer {
        changes: changes(&plan),
        missing: plan.missing().map(|(_, digest)| digest).collect(),
        dry_run: is_dry,
    };
    let shown = serde_json::to_vec(&answer.changes).unwrap_or_default();
    let tag = Digest::of(&shown).to_string();
    precondition.check(Some(&tag)).map_err(StoreError::from)?;
    if !is_dry {
        api.runner.carry_out(&tenant, plan).await?;
    }
    Ok((tagged(&tag), Json(answer)))
}

/// Whoever may not change secrets may not find out either whether one is what they think.
fn refuse_guesses(identity: &Identity, declared: &Declaration) -> Result<(), Problem> {
    let is_guess = |value: &DeclaredValue| value.is_secret && value.value.is_some();
    match declared.config.iter().find(|value| is_guess(value)) {
        Some(value) if identity.role < Role::Admin => Err(Problem::forbidden(format!(
            "to declare the value of a secret, `{}`, needs the role `{}`; the token has `{}`: leave its value out",
            value.key,
            Role::Admin.as_str(),
            identity.role.as_str()
        ))),
        _ => Ok(()),
    }
}

/// Whoever may change tasks may not change everything.
fn refuse_beyond_role(identity: &Identity, plan: &ApplyPlan) -> Result<(), Problem> {
    let is_administrative = !(plan.plugins.is_empty()
        && plan.config.is_empty()
        && plan.deleted_plugins.is_empty()
        && plan.deleted_config.is_empty());
    let refuse = |what: &str, least: Role| {
        let (least, role) = (least.as_str(), identity.role.as_str());
        Err(Problem::forbidden(format!("to change {what} needs the role `{least}`; the token has `{role}`")))
    };
    if !plan.presets.is_empty() && identity.role < Role::Operator {
        return refuse("presets, which are the same for all tenants,", Role::Operator);
    }
    if is_administrative && identity.role < Role::Admin {
        return refuse("plugins and configured values", Role::Admin);
    }
    Ok(())
}

fn changes(plan: &ApplyPlan) -> Vec<Change> {
    let gone = |kind, names: Vec<String>| {
        names.into_iter().map(move |name| Change { action: "delete", kind, name, fields: BTreeMap::new() })
    };
    let presets = plan.presets.iter().map(|(before, preset)| preset_change(before.as_ref(), preset));
    let plugins = plan.plugins.iter().map(plugin_change);
    let values = plan.config.iter().map(value_change);
    let tasks = plan.tasks.iter().map(task_change);
    let kept = presets.chain(plugins).chain(values).chain(tasks);
    kept.chain(gone("task", plan.deleted_tasks.iter().map(|(id, _)| id.to_string()).collect()))
        .chain(gone("config", plan.deleted_config.iter().map(|(key, _)| key.clone()).collect()))
        .chain(gone("plugin", plan.deleted_plugins.iter().map(ToString::to_string).collect()))
        .collect()
}

impl Change {
    fn of<const N: usize>(
        kind: &'static str,
        name: &impl ToString,
        is_new: bool,
        pairs: [(&str, Value, Value); N],
    ) -> Self {
        let differing = pairs.into_iter().filter(|(_, from, to)| from != to);
        let fields = differing.map(|(field, from, to)| (field.to_owned(), Difference { from, to }));
        let action = if is_new { "create" } else { "change" };
        Self { action, kind, name: name.to_string(), fields: fields.collect() }
    }
}

fn preset_change(before: Option<&Preset>, preset: &Preset) -> Change {
    let description = |preset: &Preset| json!(Some(&preset.description).filter(|text| !text.is_empty()));
    let pairs = [
        ("cron", json!(before.map(|before| &before.cron)), json!(preset.cron)),
        ("description", before.map_or(Value::Null, description), description(preset)),
    ];
    Change::of("preset", &preset.name, before.is_none(), pairs)
}

fn plugin_change(planned: &PlannedPlugin) -> Change {
    let (old, new) = (&planned.policy_before, &planned.policy);
    let pairs = [
        ("digest", json!(planned.before), json!(planned.digest)),
        ("grants", authored::grants(&old.grants), authored::grants(&new.grants)),
        ("limits", authored::plugin_limits(old), authored::plugin_limits(new)),
    ];
    Change::of("plugin", &planned.name, planned.before.is_none(), pairs)
}

fn value_change(planned: &PlannedValue) -> Change {
    let from = match &planned.before {
        None => Value::Null,
        Some(None) => "(secret)".into(),
        Some(Some(text)) => json!(text),
    };
    let to = match (planned.is_secret, &planned.before) {
        (false, _) => json!(planned.value),
        (true, Some(None)) => "(another secret)".into(),
        (true, _) => "(secret)".into(),
    };
    Change::of("config", &planned.key, planned.before.is_none(), [("value", from, to)])
}

fn task_change(planned: &PlannedTask) -> Change {
    let name = &planned.after.definition.id;
    let Some(before) = &planned.before else {
        let mut written = authored::task(planned.task(), planned.after.created_at);
        written.remove("id");
        let given = written.into_iter().map(|(field, to)| (field, Difference { from: Value::Null, to }));
        return Change { action: "create", kind: "task", name: name.to_string(), fields: given.collect() };
    };
    let old: Map<_, _> = authored::whole_task(before.clone());
    let new = authored::whole_task(planned.task());
    let differing = new.into_iter().filter_map(|(field, to)| {
        let from = old.get(&field).cloned().unwrap_or_default();
        (from != to).then_some((field, Difference { from, to }))
    });
    Change { action: "change", kind: "task", name: name.to_string(), fields: differing.collect() }
}
