//! Uploads that go on though nobody waits for them. That one goes on is stored before that is said, and so is what it comes to;
//! what a host that stops leaves undone the next one calls interrupted.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use innkeeper_model::id::{Digest, PluginName, TenantId, UploadId};
use innkeeper_store::UploadRecord;
use tokio::sync::oneshot;

use crate::prefer::PREFERENCE_APPLIED;
use crate::problem::{Cause, Problem};
use crate::router::Api;
use crate::wire::VersionState;

/// Which version is uploaded.
#[derive(Clone)]
pub(crate) struct Uploaded {
    pub(crate) tenant: TenantId,
    pub(crate) name: PluginName,
    pub(crate) digest: Digest,
}

/// Has `work` go on by itself and answers with what it comes to, or after `patience` with where that can be read.
pub(crate) async fn answer(
    api: &Arc<Api>,
    uploaded: Uploaded,
    patience: Duration,
    work: impl Future<Output = Response> + Send + 'static,
) -> Result<Response, Problem> {
    let Uploaded { tenant, name, digest } = &uploaded;
    let id = api.runner.begin_upload(tenant, name, *digest).await?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(go_on(Arc::clone(api), uploaded.clone(), id, work, tell));
    match tokio::time::timeout(patience, told).await {
        Ok(Ok(response)) => Ok(response),
        _ => Ok(accepted(api, &uploaded)),
    }
}

async fn go_on(
    api: Arc<Api>,
    uploaded: Uploaded,
    id: UploadId,
    work: impl Future<Output = Response> + Send + 'static,
    tell: oneshot::Sender<Response>,
) {
    // In a task of its own, so that what it does wrong is an answer too.
    let mut working = tokio::spawn(work);
    let response = tokio::select! {
        done = &mut working => done.unwrap_or_else(|error| Problem::internal(error.to_string()).into_response()),
        () = api.stop.cancelled() => return working.abort(),
    };
    let (head, body) = response.into_parts();
    let Uploaded { tenant, name, digest } = uploaded;
    if let Some(Cause(cause)) = head.extensions.get() {
        tracing::error!(%tenant, plugin = %name, %digest, cause, "plugin.upload failed");
    }
    // It is in memory already, and whole.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    if let Err(error) = api.runner.end_upload(&tenant, id, (head.status.as_u16(), text)).await {
        tracing::error!(%tenant, plugin = %name, %digest, %error, "plugin.upload_end not noted");
    }
    // Whoever asked may have gone.
    let _ = tell.send(Response::from_parts(head, Body::from(body)));
}

/// It goes on, and there is where to look.
fn accepted(api: &Api, uploaded: &Uploaded) -> Response {
    let Uploaded { name, digest, .. } = uploaded;
    let now = api.runner.now();
    let upload = UploadRecord { started_at: now, ended_at: None, answer: None };
    let state = VersionState::new(*digest, None, Some(upload), now);
    let headers = [
        (LOCATION, format!("/v1/plugins/{name}/versions/{digest}")),
        (PREFERENCE_APPLIED, "respond-async".to_owned()),
    ];
    (StatusCode::ACCEPTED, headers, Json(state)).into_response()
}
