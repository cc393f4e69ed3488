//! Counting requests and bytes of one execution, over all its connections together.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::BREACH;
use crate::usage::{self, Usage};

/// What one execution has sent and received.
#[derive(Debug)]
pub(super) struct Meter(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    requests: u64,
    requests_max: u64,
    bytes: u64,
    bytes_max: u64,
    breach: Option<String>,
    /// No byte passes any more.
    is_over: bool,
}

impl Meter {
    pub(super) fn new(requests_max: u64, bytes_max: u64) -> Self {
        let breach = None;
        Self(Mutex::new(Counts { requests: 0, requests_max, bytes: 0, bytes_max, breach, is_over: false }))
    }

    /// Counts one request; `false` if it is one too many.
    pub(super) fn admit_request(&self) -> bool {
        let mut counts = self.lock();
        let max = counts.requests_max;
        let is_admitted = usage::take(&mut counts.requests, 1, max);
        if !is_admitted {
            counts.breach.get_or_insert_with(|| format!("the handler made more than {max} HTTP requests"));
        }
        is_admitted
    }

    /// Whether the bytes are used up, so that what fails now fails for that.
    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// The limit of bytes.
    pub(super) fn bytes_max(&self) -> u64 {
        self.lock().bytes_max
    }

    /// Writes the counts and the first breach into an execution's usage.
    pub(super) fn report(&self, usage: &mut Usage) {
        let counts = self.lock();
        usage.egress_requests = counts.requests;
        usage.egress_bytes = counts.bytes;
        if let Some(breach) = &counts.breach {
            usage.refuse(BREACH, breach.clone());
        }
    }

    /// Counts bytes that came or went.
    fn count(&self, bytes: usize) -> io::Result<()> {
        let mut counts = self.lock();
        let max = counts.bytes_max;
        if usage::take(&mut counts.bytes, bytes as u64, max) {
            return Ok(());
        }
        counts.bytes = max;
        counts.is_over = true;
        counts.breach.get_or_insert_with(|| {
            format!("the handler's HTTP requests and answers have more than {max} bytes")
        });
        Err(io::Error::other("the limit of bytes is reached"))
    }

    /// How many of `bytes` may be sent; at least one, so that the one too many is noticed.
    fn room(&self, bytes: usize) -> usize {
        let counts = self.lock();
        let left = usize::try_from(counts.bytes_max.saturating_sub(counts.bytes)).unwrap_or(usize::MAX);
        bytes.min(left)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose bytes are counted: heads, bodies and what frames them, as they are before encryption.
pub(super) struct Metered<S> {
    inner: S,
    meter: Arc<Meter>,
}

impl<S> Metered<S> {
    pub(super) fn new(inner: S, meter: Arc<Meter>) -> Self {
        Self { inner, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        Poll::Ready(self.meter.count(buffer.filled().len() - before))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let room = self.meter.room(bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Poll::Ready(self.meter.count(bytes.len()).map(|()| 0));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write(context, &bytes[..room]))?;
        Poll::Ready(self.meter.count(written).map(|()| written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn used(meter: &Meter) -> (u64, u64, Option<String>) {
        let mut usage = Usage::default();
        meter.report(&mut usage);
        let breach = usage.breach().map(|failure| failure.message.clone());
        (usage.egress_requests, usage.egress_bytes, breach)
    }

    #[test]
    fn one_request_too_many_is_a_breach() {
        let meter = Meter::new(1, 0);
        assert!(meter.admit_request());
        assert_eq!(used(&meter), (1, 0, None));
        assert!(!meter.admit_request());
        assert_eq!(used(&meter), (1, 0, Some("the handler made more than 1 HTTP requests".to_owned())));
    }

    #[tokio::test]
    async fn both_directions_of_all_connections_count_together() {
        let meter = Arc::new(Meter::new(9, 10));
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Metered::new(near, Arc::clone(&meter));
        near.write_all(b"1234").await.expect("there is room");
        far.write_all(b"123456").await.expect("a duplex takes it");
        let mut buffer = [0; 6];
        near.read_exact(&mut buffer).await.expect("there is room");
        assert_eq!(used(&meter), (0, 10, None));
        let (other, _far) = tokio::io::duplex(64);
        let mut other = Metered::new(other, Arc::clone(&meter));
        assert!(!meter.is_over());
        other.write_all(b"x").await.expect_err("there is no room");
        assert!(meter.is_over());
        assert_eq!(used(&meter).1, 10);
        assert!(used(&meter).2.is_some_and(|breach| breach.contains("more than 10 bytes")));
    }
}
