//! The heads of requests, before the HTTP library reads them.
//!
//! The library takes a line feed alone for the end of a line, and of a length and chunks the chunks. Somebody in front of this
//! host may read either differently, and then one's request is the other's body. Here such a head is made one that the
//! library refuses, with 400 and the end of the connection: a NUL takes the place of the byte that gives it away. What
//! a body is, no byte of which is looked at, follows from the length in the head; after chunks the connection ends anyway.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What no head may have: the library refuses a head with it, wherever it stands.
const NUL: u8 = 0;
/// Bytes of a line that are looked at. Longer than any length that is a number.
const LINE_MAX: usize = 64;

/// A connection whose requests have unambiguous heads.
pub(crate) struct StrictHeads<T> {
    inner: T,
    scanner: Scanner,
}

impl<T> StrictHeads<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, scanner: Scanner::default() }
    }
}

/// What the next byte belongs to.
#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    /// A body, of which so many bytes are to come.
    Body(u64),
    /// What the connection ends with: chunks, or a head that is refused.
    Rest,
}

/// Follows the bytes that arrive.
#[derive(Debug, Default)]
struct Scanner {
    place: Place,
    /// The beginning of the line.
    line: Vec<u8>,
    /// Bytes of the line so far.
    line_length: usize,
    /// Lines of the head that have ended.
    lines: usize,
    after_return: bool,
    length: Option<u64>,
    is_chunked: bool,
}

impl Scanner {
    fn scan(&mut self, mut bytes: &mut [u8]) {
        while let Some(first) = bytes.first_mut() {
            match self.place {
                Place::Rest => return,
                Place::Body(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let left = left - taken as u64;
                    self.place = if left == 0 { Place::Head } else { Place::Body(left) };
                    bytes = &mut bytes[taken..];
                }
                Place::Head => {
                    if !self.take(*first) {
                        *first = NUL;
                        self.place = Place::Rest;
                    }
                    bytes = &mut bytes[1..];
                }
            }
        }
    }

    /// Takes a byte of a head; whether it may stand there.
    fn take(&mut self, byte: u8) -> bool {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        match byte {
            b'\r' => self.end_line(),
            b'\n' if !after_return => false,
            b'\n' => {
                self.begin_line();
                true
            }
            _ => {
                if self.line.len() < LINE_MAX {
                    self.line.push(byte);
                }
                self.line_length += 1;
                true
            }
        }
    }

    /// Looks at a line that ends; whether what it says is clear.
    fn end_line(&mut self) -> bool {
        if self.line_length == 0 {
            return !(self.is_chunked && self.length.is_some());
        }
        let Some(colon) = self.line.iter().position(|byte| *byte == b':').filter(|_| self.lines > 0) else {
            return true;
        };
        let (name, value) = self.line.split_at(colon);
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let digits = str::from_utf8(value[1..].trim_ascii()).unwrap_or_default();
            let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            let length = digits.parse().ok().filter(|_| is_number && self.line_length <= LINE_MAX);
            let is_clear = length.is_some() && self.length.is_none_or(|known| Some(known) == length);
            self.length = length;
            return is_clear;
        }
        true
    }

    fn begin_line(&mut self) {
        let was_empty = self.line_length == 0;
        self.line.clear();
        self.line_length = 0;
        if !was_empty {
            self.lines += 1;
        } else if self.lines > 0 {
            // The head ends. Empty lines before it are not its end.
            let is_chunked = std::mem::take(&mut self.is_chunked);
            let length = self.length.take().unwrap_or(0);
            self.lines = 0;
            self.place = match length {
                _ if is_chunked => Place::Rest,
                0 => Place::Head,
                length => Place::Body(length),
            };
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for StrictHeads<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        self.scanner.scan(&mut buffer.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for StrictHeads<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
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
    use super::*;

    /// What the library gets to see, with `_` for what was taken away, however the input is cut.
    fn seen(input: &str) -> String {
        let mut whole = input.as_bytes().to_vec();
        Scanner::default().scan(&mut whole);
        let mut pieces = input.as_bytes().to_vec();
        let mut scanner = Scanner::default();
        pieces.chunks_mut(1).for_each(|piece| scanner.scan(piece));
        assert_eq!(whole, pieces, "{input:?}");
        String::from_utf8(whole).expect("text").replace('\0', "_")
    }

    #[test]
    fn clear_heads_and_any_body_pass_as_they_are() {
        for input in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-LENGTH:  3 \t\r\n\r\na\nbGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n",
        ] {
            assert_eq!(seen(input), input);
        }
    }

    #[test]
    fn what_is_ambiguous_is_made_unreadable() {
        for (input, expected) in [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1_Host: a\r\n\r\n"),
            ("\nGET / HTTP/1.1\r\n\r\n", "_GET / HTTP/1.1\r\n\r\n"),
            ("GET / HTTP/1.1\r\nA: b\n\r\n", "GET / HTTP/1.1\r\nA: b_\r\n"),
            ("GET / HTTP/1.1\r\nA: b\r\n\n", "GET / HTTP/1.1\r\nA: b\r\n_"),
            ("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\n", "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1_\n"),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n\n\nGET",
                "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n\n_GET",
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
                "POST / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n_\n",
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: x\r\nCONTENT-LENGTH: 5\r\n\r\n",
                "POST / HTTP/1.1\r\ntransfer-encoding: x\r\nCONTENT-LENGTH: 5\r\n_\n",
            ),
            ("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: +1_\n\r\n"),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2_\n\r\n",
            ),
        ] {
            assert_eq!(seen(input), expected);
        }
        let long = format!("POST / HTTP/1.1\r\nContent-Length: {}1\r\n\r\n", "0".repeat(64));
        assert!(seen(&long).ends_with("1_\n\r\n"));
    }
}
