//! Requests as parts of traces: those from which runs follow are taken up where their caller says, and handed on to the runs.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use innkeeper_model::trace::TraceContext;

use crate::problem::Problem;
use crate::router::Api;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What led to the runs that a request makes; `None` if nobody said.
#[derive(Clone)]
pub(crate) struct Cause(pub(crate) Option<TraceContext>);

impl<S: Send + Sync> FromRequestParts<S> for Cause {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.remove::<Self>().unwrap_or(Self(None)))
    }
}

/// Answers a request as a part of its caller's trace.
pub(crate) async fn follow(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let span = api.runner.begin_request(caller(request.headers()));
    let Some(context) = span.context().cloned() else { return next.run(request).await };
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(Cause(Some(context)));
    let response = next.run(request).await;
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    api.runner.end_request(span, method.as_str(), route, response.status().as_u16());
    response
}

fn caller(headers: &HeaderMap) -> Option<TraceContext> {
    let [parents, states] =
        [TRACEPARENT, TRACESTATE].map(|name| headers.get_all(name).into_iter().map(HeaderValue::as_bytes));
    TraceContext::from_headers(parents, states)
}
