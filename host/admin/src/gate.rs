//! What every request passes: it is authorized, and reported once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::body::BodyLimit;
use crate::problem::Cause;
use crate::router::Api;
use crate::{auth, body};

/// How long the body of a refused request is read, only to be thrown away.
pub(crate) const REFUSED_TIMEOUT: Duration = Duration::from_secs(5);

/// Lets an authorized request through to its handler, with its tenant.
pub(crate) async fn pass(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("unknown", MatchedPath::as_str);
    let span = tracing::debug_span!("http.request", %method, path, status = Empty, duration_ms = Empty);
    let response = answer(&api, path, request, next).instrument(span.clone()).await;
    let status = response.status().as_u16();
    let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
    match response.extensions().get::<Cause>() {
        // It names the request itself: the span may be filtered out.
        Some(Cause(cause)) => tracing::error!(%method, path, status, duration_ms, cause, "http.failed"),
        None => report(&span, status, duration_ms),
    }
    response
}

async fn answer(api: &Api, path: &str, mut request: Request, next: Next) -> Response {
    if !matches!(path, "/healthz" | "/readyz") {
        if let Err(problem) = auth::authorize(api.token.as_ref(), request.headers()) {
            body::discard(request, BodyLimit { timeout: REFUSED_TIMEOUT, ..api.upload }).await;
            return problem.into_response();
        }
        request.extensions_mut().insert(api.tenant.clone());
    }
    next.run(request).await
}

fn report(span: &Span, status: u16, duration_ms: f64) {
    span.record("status", status);
    span.record("duration_ms", duration_ms);
    span.in_scope(|| tracing::debug!("http.answered"));
}
