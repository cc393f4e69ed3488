//! The key-value store: buckets, keys, and values as they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use innkeeper_model::id::Digest;
use innkeeper_model::problem::FieldError;
use innkeeper_store::{BucketSize, Condition, KeySize};

use crate::auth::Tenant;
use crate::body;
use crate::id::{PathText, PathTexts, path_segment};
use crate::paging::PageQuery;
use crate::problem::Problem;
use crate::query::{FromQuery, Parameters, Query};
use crate::router::Api;
use crate::wire::Page;

/// Values have no type of their own.
const MEDIA_TYPE: &str = "application/octet-stream";

/// Which keys to list.
pub(crate) struct Keys {
    prefix: String,
    limit: u32,
    cursor: Option<String>,
}

impl FromQuery for Keys {
    const KEYS: &'static [&'static str] = &["prefix", "limit", "cursor"];

    fn read(parameters: &mut Parameters) -> Self {
        let prefix = parameters.text("prefix").unwrap_or_default();
        Self { prefix, limit: parameters.limit(), cursor: parameters.cursor() }
    }
}

pub(crate) async fn buckets(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(page): Query<PageQuery>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(
        page.of::<BucketSize, BucketSize>(api.runner.buckets(&tenant).await?, |bucket| {
            bucket.bucket.as_str()
        }),
    ))
}

pub(crate) async fn keys(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    PathText(bucket): PathText,
    Query(Keys { prefix, limit, cursor }): Query<Keys>,
) -> Result<impl IntoResponse, Problem> {
    let keys = api.runner.key_sizes(&tenant, &bucket, &prefix, cursor.as_deref(), limit + 1).await?;
    Ok(Json(Page::<KeySize>::first(keys, limit, |key| key.key.clone(), |key| key)))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    PathTexts(bucket, key): PathTexts,
    Query(()): Query<()>,
) -> Result<Response, Problem> {
    let value = api.runner.value(&tenant, &bucket, &key).await?;
    Ok(([(CONTENT_TYPE, MEDIA_TYPE), (ETAG, &tag(&value))], value).into_response())
}

/// Sets a value to the bytes of the body.
pub(crate) async fn set(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    PathTexts(bucket, key): PathTexts,
    request: Request,
) -> Result<Response, Problem> {
    let condition = condition(request.headers());
    let value = body::read(request, api.body).await?;
    let tag = tag(&value);
    let is_new = api.runner.set_value(&tenant, &bucket, &key, value, condition?).await?;
    let location = format!("/v1/kv/{}/{}", path_segment(&bucket), path_segment(&key));
    Ok(if is_new {
        (StatusCode::CREATED, [(ETAG, tag), (LOCATION, location)]).into_response()
    } else {
        (StatusCode::NO_CONTENT, [(ETAG, tag)]).into_response()
    })
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    PathTexts(bucket, key): PathTexts,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    api.runner.delete_value(&tenant, &bucket, &key, condition(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The tag of a value: equal values have equal ones.
fn tag(value: &[u8]) -> String {
    format!("\"{}\"", Digest::of(value))
}

/// What the headers `If-Match` and `If-None-Match` ask for (RFC 9110, section 13.1).
fn condition(headers: &HeaderMap) -> Result<Condition, Problem> {
    match (headers.get(IF_MATCH), headers.get(IF_NONE_MATCH)) {
        (None, None) => Ok(Condition::Always),
        (Some(tag), None) if tag == "*" => Ok(Condition::Present),
        (Some(tag), None) => {
            let text = tag.to_str().ok().and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
            let digest = text.and_then(|text| text.parse().ok());
            digest
                .map(Condition::Digest)
                .ok_or_else(|| unreadable(&IF_MATCH, "the `ETag` of a value, or `*`"))
        }
        (None, Some(tag)) if tag == "*" => Ok(Condition::Absent),
        (None, Some(_)) => Err(unreadable(&IF_NONE_MATCH, "`*`")),
        (Some(_), Some(_)) => Err(unreadable(&IF_NONE_MATCH, "left out where there is an `If-Match`")),
    }
}

fn unreadable(header: &HeaderName, expected: &str) -> Problem {
    let message = format!("must be {expected}");
    Problem::invalid(vec![FieldError::new(header.as_str(), "invalid_condition", message)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(HeaderName, &str)]) -> Option<Condition> {
        let pairs = pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value")));
        condition(&pairs.collect()).ok()
    }

    #[test]
    fn conditions_are_read_or_refused() {
        let tag = tag(b"x");
        assert_eq!(of(&[]), Some(Condition::Always));
        assert_eq!(of(&[(IF_MATCH, "*")]), Some(Condition::Present));
        assert_eq!(of(&[(IF_MATCH, &tag)]), Some(Condition::Digest(Digest::of(b"x"))));
        assert_eq!(of(&[(IF_NONE_MATCH, "*")]), Some(Condition::Absent));
        for wrong in
            [&[(IF_MATCH, "\"x\"")][..], &[(IF_NONE_MATCH, &tag)], &[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")]]
        {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
