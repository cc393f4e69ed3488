//! The progress of what takes a while, on a terminal.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use indicatif::{ProgressBar, ProgressStyle};

/// Bytes that are handed to the connection at once: few enough that a slow one shows progress.
const CHUNK_BYTES: usize = 64 << 10;

/// How often something that goes on shows that it does.
const TICK: Duration = Duration::from_millis(100);

/// An upload that shows how far it is. On anything but a terminal it shows nothing.
pub(crate) struct Upload(ProgressBar);

impl Upload {
    /// Begins to show the upload of `bytes` bytes.
    pub(crate) fn start(name: &str, bytes: usize, is_quiet: bool) -> Self {
        let bar = if is_quiet { ProgressBar::hidden() } else { ProgressBar::new(bytes as u64) };
        let bar = bar.with_message(format!("uploading {name}"));
        bar.set_style(style("{msg} [{bar:30}] {bytes}/{total_bytes}"));
        Self(bar)
    }

    /// The body that is uploaded.
    pub(crate) fn body(&self, component: Vec<u8>) -> reqwest::Body {
        reqwest::Body::wrap(Chunks { rest: component.into(), bar: self.0.clone() })
    }

    /// Shows for how long the server has been compiling.
    pub(crate) fn compiling(&self, elapsed_ms: u64) {
        self.0.set_style(style("{spinner} {msg}"));
        self.0.set_message(format!("compiling on the server for {} s", elapsed_ms / 1000));
        self.0.enable_steady_tick(Duration::from_millis(100));
    }

    /// Takes the progress off the terminal.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Bytes that are received, shown on a terminal.
pub(crate) struct Transfer(ProgressBar);

impl Transfer {
    /// Begins to show a transfer of `bytes` bytes, if that is known and anybody wants to see it.
    pub(crate) fn start(what: &'static str, bytes: Option<u64>, is_quiet: bool) -> Self {
        let bar = if is_quiet { ProgressBar::hidden() } else { ProgressBar::new(bytes.unwrap_or(0)) };
        bar.set_style(style("{msg} [{bar:30}] {bytes}/{total_bytes}"));
        Self(bar.with_message(what))
    }

    /// Shows that so many more bytes have come.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.inc(bytes as u64);
    }

    /// Takes the progress off the terminal.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Something that takes a while, of which nobody knows how long. On anything but a terminal it shows nothing.
pub(crate) struct Work(ProgressBar);

impl Work {
    /// Begins to show that something goes on, and since when.
    pub(crate) fn start(what: &'static str, is_quiet: bool) -> Self {
        let bar = if is_quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.set_style(style("{spinner} {msg} ({elapsed})"));
        let bar = bar.with_message(what);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Takes it off the terminal.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Many things that are done one after the other. On anything but a terminal it shows nothing.
pub(crate) struct Steps(ProgressBar);

impl Steps {
    /// Begins to show how many of `count` are done.
    pub(crate) fn start(what: &'static str, count: usize, is_quiet: bool) -> Self {
        let bar = if is_quiet || count < 2 { ProgressBar::hidden() } else { ProgressBar::new(count as u64) };
        bar.set_style(style("{msg} [{bar:30}] {pos} of {len} ({elapsed})"));
        Self(bar.with_message(what))
    }

    /// Shows that one more is done.
    pub(crate) fn step(&self) {
        self.advance(1);
    }

    /// Shows that so many more are done.
    pub(crate) fn advance(&self, count: usize) {
        self.0.inc(count as u64);
    }

    /// Takes it off the terminal.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The bytes of an upload, chunk by chunk.
struct Chunks {
    rest: Bytes,
    bar: ProgressBar,
}

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(CHUNK_BYTES);
        let chunk = self.rest.split_to(length);
        self.bar.inc(chunk.len() as u64);
        if self.rest.is_empty() {
            // What takes time now is the server, which compiles.
            self.bar.reset_elapsed();
            self.bar.set_message("compiling");
            self.bar.set_style(style("{spinner} {msg} on the server ({elapsed})"));
            self.bar.enable_steady_tick(TICK);
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use hyper::body::Body as _;

    use super::*;

    #[test]
    fn every_byte_is_handed_over_once() {
        let bytes: Vec<u8> = (0..=255).cycle().take(2 * CHUNK_BYTES + 7).collect();
        let bar = ProgressBar::hidden();
        let mut chunks = Chunks { rest: bytes.clone().into(), bar: bar.clone() };
        assert_eq!(chunks.size_hint().exact(), Some(bytes.len() as u64));
        let mut received = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) =
            Pin::new(&mut chunks).poll_frame(&mut Context::from_waker(Waker::noop()))
        {
            received.extend(frame.into_data().expect("data"));
        }
        assert_eq!(received, bytes);
        assert_eq!(bar.position(), bytes.len() as u64);
        assert!(chunks.is_end_stream());
    }
}
