//! Reading a request's body: bounded in bytes and in time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;

use crate::bodies::Held;
use crate::problem::Problem;

/// What a body may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit {
    pub(crate) bytes_max: usize,
    /// For the whole body, however it trickles.
    pub(crate) timeout: Duration,
    /// Between two parts of it.
    pub(crate) pause: Duration,
}

/// Where the parts of a body go.
pub(crate) trait Sink {
    /// Takes the next part.
    fn take(&mut self, part: Bytes) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// The body of `request`, in memory.
pub(crate) async fn read(request: Request, limit: BodyLimit) -> Result<Vec<u8>, Problem> {
    let held = request.extensions().get::<Arc<Held>>().cloned();
    let mut memory = Memory { held, bytes: Vec::new() };
    read_into(request, limit, &mut memory).await?;
    Ok(memory.bytes)
}

/// Gives the body of `request` to `sink`, part by part.
pub(crate) async fn read_into(
    request: Request,
    limit: BodyLimit,
    sink: &mut impl Sink,
) -> Result<(), Problem> {
    let BodyLimit { bytes_max, timeout, .. } = limit;
    let reading = async {
        let declared = request.body().size_hint().lower();
        if usize::try_from(declared).is_ok_and(|declared| declared <= bytes_max) {
            receive(request, limit, sink).await
        } else {
            discard(request, limit).await;
            Err(Problem::too_large(bytes_max))
        }
    };
    let read = tokio::time::timeout(timeout, reading).await;
    read.unwrap_or_else(|_| Err(Problem::too_slow(timeout)))
}

async fn receive(request: Request, limit: BodyLimit, sink: &mut impl Sink) -> Result<(), Problem> {
    let BodyLimit { bytes_max, pause, .. } = limit;
    let mut body = request.into_body();
    let mut left = bytes_max;
    while let Some(frame) =
        tokio::time::timeout(pause, body.frame()).await.map_err(|_| Problem::too_slow(pause))?
    {
        // The client has hung up; nobody reads the answer.
        let frame = frame.map_err(|_| Problem::incomplete())?;
        let Ok(data) = frame.into_data() else { continue };
        let taken = match left.checked_sub(data.len()) {
            Some(rest) => {
                left = rest;
                sink.take(data).await
            }
            None => Err(Problem::too_large(bytes_max)),
        };
        if let Err(problem) = taken {
            throw_away(body, bytes_max).await;
            return Err(problem);
        }
    }
    Ok(())
}

/// A body in memory.
struct Memory {
    held: Option<Arc<Held>>,
    bytes: Vec<u8>,
}

impl Sink for Memory {
    async fn take(&mut self, part: Bytes) -> Result<(), Problem> {
        if let Some(held) = &self.held {
            held.take(part.len())?;
        }
        self.bytes.extend_from_slice(&part);
        Ok(())
    }
}

/// Reads the body of a refused request, up to a bound, and throws it away: a connection that is closed with bytes unread
/// is reset, and then most clients do not see the answer. A client that waits to be told to go on is not told.
pub(crate) async fn discard(request: Request, limit: BodyLimit) {
    if !request.headers().contains_key(EXPECT) {
        let reading = throw_away(request.into_body(), limit.bytes_max);
        // Over time or not, what follows is the same.
        let _ = tokio::time::timeout(limit.timeout, reading).await;
    }
}

async fn throw_away(mut body: Body, bytes_max: usize) {
    let mut left = bytes_max;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length > left {
            return;
        }
        left -= length;
    }
}

/// The encoding that the body is declared to have, if it has any.
pub(crate) fn encoding(headers: &HeaderMap) -> Option<String> {
    let encodings = headers.get_all(CONTENT_ENCODING).iter();
    let encodings =
        encodings.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase());
    let applied: Vec<String> = encodings.filter(|name| !matches!(name.as_str(), "" | "identity")).collect();
    (!applied.is_empty()).then(|| applied.join(", "))
}

/// Whether the body is declared to be of this media type; its parameters do not matter.
pub(crate) fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(media_type)
}
