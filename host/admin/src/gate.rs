//! What every request passes: it is authorized, and reported once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use innkeeper_model::id::TenantId;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::access::OPEN;
use crate::auth::{Identity, Scope};
use crate::bodies::Held;
use crate::body::BodyLimit;
use crate::problem::{Cause, Problem};
use crate::router::Api;
use crate::{access, auth, body};

/// How long the body of a refused request is read, only to be thrown away.
pub(crate) const REFUSED_TIMEOUT: Duration = Duration::from_secs(5);

/// Lets an authorized request through to its handler, with its caller and its tenant.
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

async fn answer(api: &Api, pattern: &str, mut request: Request, next: Next) -> Response {
    if OPEN.contains(&pattern) {
        return next.run(request).await;
    }
    let (identity, scope) = match admit(api, pattern, &request) {
        Ok(admitted) => admitted,
        Err(problem) => {
            body::discard(request, BodyLimit { timeout: REFUSED_TIMEOUT, ..api.upload }).await;
            return problem.into_response();
        }
    };
    let noted = Noted::of(pattern, &request, &identity, &scope);
    // Held until the request is answered: so long what was read of its body is in memory.
    let held = Arc::new(Held::new(&api.bodies, noted.tenant.clone()));
    request.extensions_mut().insert(identity);
    request.extensions_mut().insert(scope);
    request.extensions_mut().insert(Arc::clone(&held));
    let response = next.run(request).await;
    noted.note(api, response.status().as_u16());
    response
}

/// Who asks, and of what tenant, if they may.
fn admit(api: &Api, pattern: &str, request: &Request) -> Result<(Identity, Scope), Problem> {
    let identity = auth::identify(api.token.as_ref(), &api.runner, request.headers())?;
    let scope = auth::scope(&identity, &api.runner, request.headers())?;
    let least = access::least_role(request.method(), pattern);
    if identity.role < least && pattern != "unknown" {
        let (least, role) = (least.as_str(), identity.role.as_str());
        return Err(Problem::forbidden(format!("this needs the role `{least}`; the token has `{role}`")));
    }
    Ok((identity, scope))
}

/// What is noted of a request once it is answered.
struct Noted {
    tenant: TenantId,
    /// Actor, method and path; `None` if it is not worth a note.
    entry: Option<(String, String, String)>,
}

impl Noted {
    fn of(pattern: &str, request: &Request, identity: &Identity, scope: &Scope) -> Self {
        let tenant = match scope {
            // What concerns tenants as such is the operator's own.
            Scope::Tenant(tenant) if !pattern.starts_with("/v1/tenants") => tenant.clone(),
            _ => TenantId::default_tenant(),
        };
        let is_noted = access::is_noted(request.method(), pattern);
        let entry = is_noted
            .then(|| (identity.actor.clone(), request.method().to_string(), request.uri().path().to_owned()));
        Self { tenant, entry }
    }

    fn note(self, api: &Api, status: u16) {
        if let Some((actor, method, path)) = self.entry {
            api.runner.note_audit(&self.tenant, actor, method, path, status);
        }
    }
}

fn report(span: &Span, status: u16, duration_ms: f64) {
    span.record("status", status);
    span.record("duration_ms", duration_ms);
    span.in_scope(|| tracing::debug!("http.answered"));
}
