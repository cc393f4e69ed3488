//! HTTP in a component: the standard interface `wasi:http`.

use std::time::Duration;

use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest, Scheme,
    http_error_code,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::StreamError;

use super::url::Url;
use super::{Error, ErrorKind, Request, Response};

/// Bytes that are read at once.
const READ_BYTES: u64 = 64 << 10;

/// One exchange: what it is called, and when it is to be over.
struct Exchange {
    name: String,
    deadline: Option<Pollable>,
}

pub(super) fn exchange(request: &Request, url: &Url, timeout: Option<Duration>) -> Result<Response, Error> {
    let started = monotonic_clock::now();
    let nanos = |timeout: Duration| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let deadline = timeout.map(|timeout| monotonic_clock::subscribe_duration(nanos(timeout)));
    let exchange = Exchange { name: request.name(), deadline };
    let outgoing = exchange.outgoing(request, url)?;
    let body = outgoing.body().map_err(|()| exchange.error(ErrorKind::Invalid))?;
    let future = outgoing_handler::handle(outgoing, None).map_err(|code| exchange.coded(&code))?;
    let written = exchange.write(body, &request.body);
    let answer = exchange.answer(&future);
    // An answer that came although the body was not taken is still an answer; and why there is none is better known there.
    let mut response = match (answer, written) {
        (Ok(response), _) => response,
        (Err(_), Err(error)) if error.kind() == ErrorKind::Timeout => return Err(error),
        (Err(error), _) => return Err(error),
    };
    response.elapsed = Duration::from_nanos(monotonic_clock::now().saturating_sub(started));
    Ok(response)
}

impl Exchange {
    #[cold]
    #[inline(never)]
    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, &self.name)
    }

    fn outgoing(&self, request: &Request, url: &Url) -> Result<OutgoingRequest, Error> {
        let fields = Fields::new();
        for (name, value) in &request.headers {
            fields.append(name, value.as_bytes()).map_err(|_| {
                Error::because(
                    ErrorKind::Invalid,
                    &self.name,
                    &["the host refuses the header ", name].concat(),
                )
            })?;
        }
        if !request.body.is_empty() {
            let length = request.body.len().to_string();
            fields.append("content-length", length.as_bytes()).map_err(|_| self.error(ErrorKind::Invalid))?;
        }
        let outgoing = OutgoingRequest::new(fields);
        let scheme = if url.is_tls { Scheme::Https } else { Scheme::Http };
        let set = outgoing
            .set_method(&method(&request.method))
            .and_then(|()| outgoing.set_scheme(Some(&scheme)))
            .and_then(|()| outgoing.set_authority(Some(&url.authority)))
            .and_then(|()| outgoing.set_path_with_query(Some(&url.path)));
        set.map_err(|()| self.error(ErrorKind::Invalid))?;
        Ok(outgoing)
    }

    fn write(&self, body: OutgoingBody, mut rest: &[u8]) -> Result<(), Error> {
        {
            let stream = body.write().map_err(|()| self.error(ErrorKind::Protocol))?;
            while !rest.is_empty() {
                self.wait(&stream.subscribe())?;
                let room = stream.check_write().map_err(|_| self.error(ErrorKind::Protocol))?;
                let (now, later) = rest.split_at(rest.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
                stream.write(now).map_err(|_| self.error(ErrorKind::Protocol))?;
                rest = later;
            }
        }
        OutgoingBody::finish(body, None).map_err(|code| self.coded(&code))
    }

    fn answer(&self, future: &FutureIncomingResponse) -> Result<Response, Error> {
        self.wait(&future.subscribe())?;
        let Some(Ok(answer)) = future.get() else { return Err(self.error(ErrorKind::Protocol)) };
        let answer = answer.map_err(|code| self.coded(&code))?;
        let mut response = Response::new(answer.status());
        for (name, value) in answer.headers().entries() {
            response.headers.push((name, String::from_utf8_lossy(&value).into_owned()));
        }
        let body = answer.consume().map_err(|()| self.error(ErrorKind::Protocol))?;
        response.body = self.read(&body)?;
        Ok(response)
    }

    fn read(&self, body: &IncomingBody) -> Result<Vec<u8>, Error> {
        let stream = body.stream().map_err(|()| self.error(ErrorKind::Protocol))?;
        let mut all = Vec::new();
        loop {
            match stream.read(READ_BYTES) {
                Ok(bytes) if bytes.is_empty() => self.wait(&stream.subscribe())?,
                Ok(bytes) => all.extend(bytes),
                Err(StreamError::Closed) => return Ok(all),
                Err(StreamError::LastOperationFailed(error)) => {
                    let code = http_error_code(&error);
                    return Err(
                        code.map_or_else(|| self.error(ErrorKind::Protocol), |code| self.coded(&code))
                    );
                }
            }
        }
    }

    /// Waits until `event` is there or time is up.
    fn wait(&self, event: &Pollable) -> Result<(), Error> {
        let Some(deadline) = &self.deadline else {
            event.block();
            return Ok(());
        };
        if poll(&[event, deadline]).contains(&0) { Ok(()) } else { Err(self.error(ErrorKind::Timeout)) }
    }

    fn coded(&self, code: &ErrorCode) -> Error {
        let (kind, cause) = explain(code);
        match cause {
            Some(cause) => Error::because(kind, &self.name, cause),
            None => self.error(kind),
        }
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

/// The kind of error that a code of the interface stands for, and what it says beyond that.
fn explain(code: &ErrorCode) -> (ErrorKind, Option<&str>) {
    use ErrorKind::{AddressRefused, Denied, Insecure, Invalid, Limit, Protocol, Timeout, Unreachable};
    match code {
        ErrorCode::HttpRequestDenied => (Denied, None),
        ErrorCode::DestinationIpProhibited => (AddressRefused, None),
        ErrorCode::DnsError(error) => (Unreachable, error.rcode.as_deref()),
        ErrorCode::DestinationNotFound | ErrorCode::DestinationUnavailable => (Unreachable, None),
        ErrorCode::ConnectionRefused => (Unreachable, Some("the connection was refused")),
        ErrorCode::DnsTimeout => (Timeout, Some("the name was not resolved")),
        ErrorCode::ConnectionTimeout => (Timeout, Some("there was no connection")),
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => {
            (Timeout, Some("there was no answer"))
        }
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => (Insecure, None),
        ErrorCode::TlsCertificateError => (Insecure, Some("the certificate is not valid")),
        ErrorCode::ConnectionLimitReached => (Limit, Some("too many requests")),
        ErrorCode::HttpResponseBodySize(_) => (Limit, Some("too many bytes")),
        ErrorCode::HttpRequestMethodInvalid => (Invalid, Some("its method")),
        ErrorCode::HttpRequestUriInvalid => (Invalid, Some("its URL")),
        ErrorCode::HttpRequestUriTooLong => (Invalid, Some("its URL is too long")),
        ErrorCode::HttpRequestBodySize(_) => (Invalid, Some("its body has another length than it says")),
        ErrorCode::HttpRequestHeaderSectionSize(_) | ErrorCode::HttpRequestHeaderSize(_) => {
            (Invalid, Some("its headers are too large"))
        }
        ErrorCode::HttpResponseHeaderSectionSize(_) => (Protocol, Some("the answer's headers are too large")),
        ErrorCode::HttpResponseIncomplete => (Protocol, Some("the answer is not complete")),
        ErrorCode::InternalError(message) => (Protocol, message.as_deref()),
        _ => (Protocol, None),
    }
}
