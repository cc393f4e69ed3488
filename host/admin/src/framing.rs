//! Where one request ends and the next begins must be as clear to whoever stands in front of this host as it is here.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::middleware::Next;
use axum::response::Response;

/// Ends the connection after a request with `Transfer-Encoding`. Somebody in front may have read its end differently, and then
/// what follows is not what they think (RFC 9112, section 6.3). A `Content-Length` beside it is refused before this
/// ([`crate::heads`]), which relies on the connection ending here.
pub(crate) async fn close_after_chunks(request: Request, next: Next) -> Response {
    let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
    let mut response = next.run(request).await;
    if is_chunked {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
