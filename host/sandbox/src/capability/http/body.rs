//! The body of an answer as it comes in.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use super::exchange::http_error;
use super::meter::Meter;

/// The standard's code for an error that a body ends with.
pub(super) fn code(error: &Error) -> Option<ErrorCode> {
    Some(match error {
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::ConnectionTerminated => ErrorCode::ConnectionTerminated,
        Error::HttpProtocolError => ErrorCode::HttpProtocolError,
        Error::HttpResponseBodySize(bytes) => ErrorCode::HttpResponseBodySize(*bytes),
        Error::HttpResponseHeaderSectionSize(bytes) => ErrorCode::HttpResponseHeaderSectionSize(*bytes),
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        _ => return None,
    })
}

/// A body that may not pause for too long. Time that the guest takes between two reads does not count.
pub(super) struct TimedBody {
    incoming: Incoming,
    pause_max: Duration,
    pause: Option<Pin<Box<Sleep>>>,
    meter: Arc<Meter>,
}

impl TimedBody {
    pub(super) fn new(incoming: Incoming, pause_max: Duration, meter: Arc<Meter>) -> Self {
        Self { incoming, pause_max, pause: None, meter }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(frame) => {
                self.pause = None;
                Poll::Ready(frame.map(|frame| frame.map_err(|error| http_error(&error, &self.meter))))
            }
            Poll::Pending => {
                let pause_max = self.pause_max;
                let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(pause_max)));
                ready!(pause.as_mut().poll(context));
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
