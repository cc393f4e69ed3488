//! Versions of plugins.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use innkeeper_model::id::{Digest, PluginName, TenantId};
use innkeeper_model::problem::FieldError;
use innkeeper_model::rollout::Rollout;
use innkeeper_runner::{RunnerError, Sample};
use innkeeper_store::VersionChoice;
use serde_json::Value;

use crate::auth::Tenant;
use crate::fields::Fields;
use crate::id::{Id, PathTexts};
use crate::json::{JsonBody, OptionalJsonBody};
use crate::problem::Problem;
use crate::query::Query;
use crate::rollouts;
use crate::router::Api;
use crate::wire;

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let versions = api.runner.plugin_versions(&tenant, &name).await?;
    Ok(Json(wire::Page::<wire::Version>::whole(versions)))
}

/// A version, or how far its upload has come.
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    PathTexts(name, digest): PathTexts,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let (name, digest) = version_named(&name, &digest)?;
    // First how far it has come: once that says that it is stored, it is there to be read.
    let upload = api.runner.upload(&tenant, &name, digest).await?;
    let version = match api.runner.plugin_version(&tenant, &name, digest).await {
        Ok(version) => Some(version),
        Err(RunnerError::NotFound { .. }) if upload.is_some() => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Json(wire::VersionState::new(digest, version, upload, api.runner.now())))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    PathTexts(name, digest): PathTexts,
) -> Result<StatusCode, Problem> {
    let (name, digest) = version_named(&name, &digest)?;
    api.runner.delete_version(&tenant, &name, digest).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the version in the body the active one.
pub(crate) async fn activate(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let wish = read(body, &api)?;
    if wish.choice == VersionChoice::Previous {
        return Err(Problem::invalid(vec![FieldError::new("digest", "missing", "is required")]));
    }
    change(&api, &tenant, &name, wish).await
}

/// Makes the version in the body the active one, or else the one that was uploaded before the active one.
pub(crate) async fn roll_back(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<impl IntoResponse, Problem> {
    let wish = read(body.unwrap_or_else(|| Value::Object(serde_json::Map::new())), &api)?;
    change(&api, &tenant, &name, wish).await
}

/// Which version is to be active, and how.
struct Wish {
    choice: VersionChoice,
    rollout: Rollout,
    sample: Option<Sample>,
}

async fn change(
    api: &Api,
    tenant: &TenantId,
    name: &PluginName,
    wish: Wish,
) -> Result<Json<wire::RolledOut>, Problem> {
    let Wish { choice, rollout, sample } = wish;
    // A trial takes a sandbox that no task's limits know of, so it waits in line with the uploads.
    let _turn = match &sample {
        Some(_) => {
            let turn = tokio::time::timeout(api.upload.timeout, api.uploads.turn(tenant)).await;
            let full = || Problem::too_many_uploads(api.uploads.waiting_max);
            Some(turn.map_err(|_| full())?.map_err(|_| full())?)
        }
        None => None,
    };
    let done = api.runner.activate_version(tenant, name, choice, rollout, sample).await?;
    Ok(Json(done.into()))
}

fn read(body: Value, api: &Api) -> Result<Wish, Problem> {
    let (mut shape, mut errors) = (Vec::new(), Vec::new());
    let mut fields = Fields::new("", body, &rollouts::KEYS, &mut shape);
    let text = fields.text("digest");
    let bytes_max = api.runner.config().event_data_bytes_max;
    let (rollout, sample) = rollouts::read(&mut fields, bytes_max, &mut errors);
    let digest = text.map(|text| text.parse::<Digest>()).transpose().unwrap_or_else(|error| {
        errors.push(FieldError::new("digest", "invalid", error.to_string()));
        None
    });
    shape.extend(errors);
    if !shape.is_empty() {
        return Err(Problem::invalid(shape));
    }
    let choice = digest.map_or(VersionChoice::Previous, VersionChoice::Digest);
    Ok(Wish { choice, rollout, sample })
}

fn version_named(name: &str, digest: &str) -> Result<(PluginName, Digest), Problem> {
    let missing =
        |error: &dyn std::fmt::Display| Problem::not_found(format!("{error}, so it does not exist"));
    let name = name.parse().map_err(|error: innkeeper_model::id::InvalidId| missing(&error))?;
    let digest = digest.parse().map_err(|error: innkeeper_model::id::InvalidId| missing(&error))?;
    Ok((name, digest))
}
