//! JSON bodies.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use serde_json::Value;

use crate::bodies::Held;
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
        let held = request.extensions().get::<Arc<Held>>().cloned();
        parse(&body::read(request, api.body).await?, held.as_deref()).map(Self)
    }
}

/// The JSON body of a request that needs none: `None` if it is empty or `null`.
pub(crate) struct OptionalJsonBody(pub(crate) Option<Value>);

impl FromRequest<Arc<Api>> for OptionalJsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        // Clients that send no body may declare anything, or nothing.
        let is_json = body::is_of_type(request.headers(), MEDIA_TYPE);
        let held = request.extensions().get::<Arc<Held>>().cloned();
        match body::read(request, api.body).await?.as_slice() {
            [] => Ok(Self(None)),
            bytes if is_json => {
                let value = parse(bytes, held.as_deref())?;
                Ok(Self(Some(value).filter(|value| !value.is_null())))
            }
            _ => Err(Problem::wrong_media_type(MEDIA_TYPE)),
        }
    }
}

/// Memory that one value of a JSON text takes at most, beside its own characters.
const VALUE_BYTES: usize = 96;

fn parse(bytes: &[u8], held: Option<&Held>) -> Result<Value, Problem> {
    // A text of many small values takes far more memory once it is read.
    let values = bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    if let Some(held) = held {
        held.take(values.saturating_mul(VALUE_BYTES))?;
    }
    serde_json::from_slice(bytes).map_err(|error| Problem::not_json(&error))
}
