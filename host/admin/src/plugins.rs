//! Plugins: uploading and looking them up.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_model::problem::FieldError;
use innkeeper_model::upload::Upload;
use innkeeper_runner::{Deployment, RolledOut};

use crate::auth::{By, Tenant};
use crate::background::{self, Uploaded};
use crate::bodies::Held;
use crate::body::{self, BodyLimit};
use crate::etag::{If, tagged};
use crate::gate::REFUSED_TIMEOUT;
use crate::id::{Id, PathText};
use crate::paging::PageQuery;
use crate::prefer;
use crate::problem::Problem;
use crate::query::Query;
use crate::rollouts::UploadQuery;
use crate::router::Api;
use crate::uploads::Turn;
use crate::{spool, wire};

/// What a component is sent as.
pub(crate) const MEDIA_TYPE: &str = "application/wasm";

/// How long a refusal for too many uploads takes: who does not heed it and comes back at once keeps nobody busy.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Stores the component in the body as a version and, unless it says otherwise, makes it the active one. A dry run only says
/// whether it would be taken.
pub(crate) async fn upload(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    By(identity): By,
    PathText(name): PathText,
    query: Result<Query<UploadQuery>, Problem>,
    precondition: Result<If, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    let checked =
        precondition.and_then(|If(precondition)| Ok((check(&request, &name)?, query?.0, precondition)));
    let (name, UploadQuery { is_dry, rollout }, precondition) = match checked {
        Ok(checked) => checked,
        Err(problem) => {
            body::discard(request, api.upload).await;
            return Err(problem);
        }
    };
    let patience = prefer::patience(request.headers());
    let held = request.extensions().get::<Arc<Held>>().cloned();
    // The turn ends with the upload.
    let (turn, component) = receive(&api, &tenant, request).await?;
    if is_dry {
        let (admission, changes) = api.runner.try_plugin(&tenant, &name, component, rollout).await?;
        return Ok(Json(wire::Admitted::new(admission, changes)).into_response());
    }
    let uploaded = Uploaded { tenant: tenant.clone(), name: name.clone(), digest: component.digest() };
    let deployment = Deployment { rollout, precondition, uploaded_by: Some(identity.actor) };
    let runner = api.runner.clone();
    let work = async move {
        let _until_done = (turn, held);
        match runner.deploy(&tenant, name, component, deployment).await {
            Ok(done) => stored(done),
            Err(error) => Problem::from(error).into_response(),
        }
    };
    match patience {
        Some(patience) => background::answer(&api, uploaded, patience, work).await,
        None => Ok(work.await),
    }
}

fn stored(done: RolledOut) -> Response {
    let location = format!("/v1/plugins/{}", done.plugin.name);
    let (tag, is_changed) = (tagged(&done.plugin.tag()), done.deployed.is_new || done.deployed.is_activated);
    let answer = Json(wire::RolledOut::from(done));
    if is_changed {
        (StatusCode::CREATED, tag, [(LOCATION, location)], answer).into_response()
    } else {
        (tag, answer).into_response()
    }
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(page): Query<PageQuery>,
) -> Result<impl IntoResponse, Problem> {
    let plugins = api.runner.plugins(&tenant).await?;
    Ok(Json(page.of::<_, wire::Plugin>(plugins, |plugin| plugin.name.as_str())))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let plugin = api.runner.plugin(&tenant, &name).await?;
    Ok((tagged(&plugin.tag()), Json(wire::Plugin::from(plugin))))
}

/// The component of the active version.
pub(crate) async fn component(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let component = api.runner.component(&tenant, &name).await?;
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], component.to_vec()))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
    If(precondition): If,
) -> Result<StatusCode, Problem> {
    api.runner.delete_plugin_if(&tenant, &name, precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Releases a plugin from quarantine.
pub(crate) async fn release(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Id(name): Id<PluginName>,
) -> Result<impl IntoResponse, Problem> {
    let resumed = api.runner.release_plugin(&tenant, &name).await?;
    Ok(Json(wire::Released { resumed }))
}

/// What can be said before the component is received.
fn check(request: &Request, name: &str) -> Result<PluginName, Problem> {
    if let Some(encoding) = body::encoding(request.headers()) {
        return Err(Problem::encoded(&encoding));
    }
    if !body::is_of_type(request.headers(), MEDIA_TYPE) {
        return Err(Problem::wrong_media_type(MEDIA_TYPE));
    }
    name.parse::<PluginName>()
        .map_err(|error| Problem::invalid(vec![FieldError::new("name", "invalid_name", error.to_string())]))
}

/// Waits for a turn and receives the component, both within the time for uploads.
pub(crate) async fn receive(
    api: &Api,
    tenant: &TenantId,
    request: Request,
) -> Result<(Turn, Upload), Problem> {
    let receiving = async {
        let Ok(turn) = api.uploads.turn(tenant).await else {
            body::discard(request, BodyLimit { timeout: REFUSED_TIMEOUT, ..api.upload }).await;
            tokio::time::sleep(REFUSED_PAUSE).await;
            return Err(Problem::too_many_uploads(api.uploads.waiting_max));
        };
        Ok((turn, spool::receive(request, api.upload, &api.uploads_dir).await?))
    };
    let received = tokio::time::timeout(api.upload.timeout, receiving).await;
    received.unwrap_or_else(|_| Err(Problem::too_slow(api.upload.timeout)))
}
