//! JSON bodies.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use serde_json::Value;

use crate::body;
use crate::problem::Problem;
use crate::router::Api;

const MEDIA_TYPE: &str = "application/json";

/// The JSON body of a request. It must be declared as JSON: a web page cannot send that to a foreign host unasked.
pub(crate) struct JsonBody(pub(crate) Value);

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        if !body::is_of_type(request.headers(), MEDIA_TYPE) {
            body::discard(request, api.body).await;
            return Err(Problem::wrong_media_type(MEDIA_TYPE));
        }
        parse(&body::read(request, api.body).await?).map(Self)
    }
}

/// The JSON body of a request that needs none: `None` if it is empty or `null`.
pub(crate) struct OptionalJsonBody(pub(crate) Option<Value>);

impl FromRequest<Arc<Api>> for OptionalJsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        // Clients that send no body may declare anything, or nothing.
        let is_json = body::is_of_type(request.headers(), MEDIA_TYPE);
        match body::read(request, api.body).await?.as_slice() {
            [] => Ok(Self(None)),
            bytes if is_json => parse(bytes).map(|value| Self(Some(value).filter(|value| !value.is_null()))),
            _ => Err(Problem::wrong_media_type(MEDIA_TYPE)),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::not_json(&error))
}
