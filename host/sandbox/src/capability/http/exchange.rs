//! One request and its answer, over a connection of their own.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use innkeeper_model::id::TenantId;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::TimedBody;
use super::connect::connect;
use super::meter::{Meter, Metered};
use super::network::Connector;
use super::request::{Refusal, Target};

/// Header fields of one answer.
const FIELDS_MAX: usize = 100;
/// Bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long things may take if the guest does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(30);
const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the parts of an exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeouts {
    /// Until there is a connection: looking the name up, connecting, TLS.
    connect: Duration,
    /// From then until the head of the answer is there.
    first_byte: Duration,
    /// Between two pieces of the answer's body.
    between_bytes: Duration,
}

impl Timeouts {
    /// What the guest asks for, or else ours, and never longer than the whole execution may take.
    pub(super) fn within(options: Option<RequestOptions>, max: Duration) -> Self {
        let options = options.unwrap_or_default();
        Self {
            connect: options.connect_timeout.unwrap_or(CONNECT_TIMEOUT).min(max),
            first_byte: options.first_byte_timeout.unwrap_or(FIRST_BYTE_TIMEOUT).min(max),
            between_bytes: options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES_TIMEOUT).min(max),
        }
    }
}

/// A request that is allowed.
pub(super) struct Exchange {
    pub(super) request: Request<WasiBody>,
    pub(super) target: Target,
    pub(super) timeouts: Timeouts,
    pub(super) meter: Arc<Meter>,
    /// Whose it is; `None` while a component is tried.
    pub(super) tenant: Option<TenantId>,
}

/// The head of an answer, its body, and the connection that the body comes over for as long as it is kept.
pub(super) struct Answer {
    pub(super) response: Response<WasiBody>,
    pub(super) connection: AbortOnDropHandle<()>,
}

impl Exchange {
    /// Connects, sends, and waits for the head of the answer.
    pub(super) async fn run(self, connector: Arc<Connector>) -> Result<Answer, Refusal> {
        let Self { request, target, timeouts, meter, tenant } = self;
        let connecting = async {
            let permit = connector.permit(tenant.as_ref()).await;
            let stream = connect(&connector, &target, timeouts.connect).await?;
            Ok((permit, stream))
        };
        let waited = timeout(timeouts.connect, connecting).await;
        let (permit, stream) = waited.unwrap_or_else(|_| {
            let why = format!("there was no connection after {} ms", timeouts.connect.as_millis());
            Err(Refusal::new(Error::ConnectionTimeout, &target, &why))
        })?;
        let io = TokioIo::new(Metered::new(stream, Arc::clone(&meter)));
        let failed = |error: &hyper::Error, meter: &Meter| Refusal::silent(http_error(error, meter));
        let shaken = http1::Builder::new()
            .max_headers(FIELDS_MAX)
            .max_header_size(HEAD_BYTES_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(io)
            .await;
        let (mut sender, connection) = shaken.map_err(|error| failed(&error, &meter))?;
        let connection = AbortOnDropHandle::new(tokio::spawn(async move {
            // Whoever waits for the answer or reads its body hears of it there.
            let _ended = connection.await;
            drop(permit);
        }));
        let answered = timeout(timeouts.first_byte, sender.send_request(request)).await;
        let Ok(answer) = answered else {
            let why = format!("there was no answer after {} ms", timeouts.first_byte.as_millis());
            return Err(Refusal::new(Error::ConnectionReadTimeout, &target, &why));
        };
        let response = answer.map_err(|error| failed(&error, &meter))?;
        let response =
            response.map(|body| TimedBody::new(body, timeouts.between_bytes, meter).boxed_unsync());
        Ok(Answer { response, connection })
    }
}

/// The code for what went wrong while a request was sent or its answer received.
pub(super) fn http_error(error: &hyper::Error, meter: &Meter) -> Error {
    if meter.is_over() {
        return Error::HttpResponseBodySize(Some(meter.bytes_max()));
    }
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(u32::try_from(HEAD_BYTES_MAX).ok());
    }
    let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    let is_cut_short = io.is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof);
    if is_cut_short || error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    if io.is_some() || error.is_canceled() || error.is_closed() {
        return Error::ConnectionTerminated;
    }
    Error::HttpProtocolError
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_timeout_is_longer_than_the_execution() {
        let seconds = Duration::from_secs;
        let ours = Timeouts::within(None, seconds(20));
        let expected = Timeouts { connect: seconds(10), first_byte: seconds(20), between_bytes: seconds(20) };
        assert_eq!(ours, expected);
        let wish = RequestOptions { connect_timeout: Some(Duration::MAX), ..RequestOptions::default() };
        assert_eq!(Timeouts::within(Some(wish), seconds(3)).connect, seconds(3));
        let wish = RequestOptions { first_byte_timeout: Some(seconds(1)), ..RequestOptions::default() };
        assert_eq!(Timeouts::within(Some(wish), seconds(60)).first_byte, seconds(1));
    }
}
