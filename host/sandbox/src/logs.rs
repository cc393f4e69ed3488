//! What one execution writes: lines in order, up to a limit, the rest counted.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use innkeeper_model::execution::{LogLevel, LogLine};
use innkeeper_model::redact::Redactor;
use innkeeper_model::time::Timestamp;

/// One of the two output streams of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Standard output: ordinary news.
    Standard,
    /// Standard error: something to look at.
    Error,
}

impl Output {
    fn level(self) -> LogLevel {
        match self {
            Self::Standard => LogLevel::Info,
            Self::Error => LogLevel::Warn,
        }
    }
}

/// Lines kept of one execution, whatever their length: each is a row of the database.
pub(crate) const LINES_MAX: usize = 1000;

/// The log of one execution. Every byte counts, line ends too, so that empty lines are not free.
#[derive(Debug)]
pub(crate) struct LogBuffer {
    lines: Vec<LogLine>,
    /// The unfinished last line of each output.
    open: [Vec<u8>; 2],
    room_bytes: u64,
    written_bytes: u64,
    dropped_bytes: u64,
}

impl LogBuffer {
    /// Keeps at most `limit_bytes`.
    pub(crate) fn new(limit_bytes: u64) -> Self {
        let open = [Vec::new(), Vec::new()];
        Self { lines: Vec::new(), open, room_bytes: limit_bytes, written_bytes: 0, dropped_bytes: 0 }
    }

    /// Takes what a guest wrote to one of its outputs and splits it at line ends.
    pub(crate) fn write(&mut self, output: Output, bytes: &[u8], now: Timestamp) {
        let mut rest = self.admit(bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if self.lines.len() >= LINES_MAX {
                return self.drop_rest(rest.len());
            }
            let mut line = std::mem::take(&mut self.open[output as usize]);
            line.extend_from_slice(&rest[..end]);
            self.lines.push(line_of(&line, output.level(), now));
            rest = &rest[end + 1..];
        }
        self.open[output as usize].extend_from_slice(rest);
    }

    /// Takes one message, which may have several lines.
    pub(crate) fn log(&mut self, level: LogLevel, message: &str, now: Timestamp) {
        let mut left = message.len() + 1;
        for line in message.split('\n') {
            if self.room_bytes == 0 || self.lines.len() >= LINES_MAX {
                self.written_bytes += left as u64;
                return self.drop_rest(left);
            }
            left -= line.len() + 1;
            let mut bytes = Vec::with_capacity(line.len() + 1);
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            let kept = self.admit(&bytes);
            if !kept.is_empty() {
                let kept = kept.strip_suffix(b"\n").unwrap_or(kept);
                self.lines.push(line_of(kept, level, now));
            }
        }
    }

    /// Counts what is not kept, and keeps nothing more.
    fn drop_rest(&mut self, bytes: usize) {
        self.dropped_bytes += bytes as u64;
        self.room_bytes = 0;
    }

    /// Ends lines without a line end.
    pub(crate) fn close(&mut self, now: Timestamp) {
        for output in [Output::Standard, Output::Error] {
            let line = std::mem::take(&mut self.open[output as usize]);
            if !line.is_empty() {
                self.lines.push(line_of(&line, output.level(), now));
            }
        }
    }

    /// Takes secrets out of the finished lines. Where lines were cut off, a secret may have been cut in two.
    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        if redactor.is_empty() {
            return;
        }
        let is_cut = self.dropped_bytes > 0;
        for line in &mut self.lines {
            let text = if is_cut { redactor.cut_text(&line.message) } else { redactor.text(&line.message) };
            if let Cow::Owned(text) = text {
                line.message = text;
            }
        }
    }

    /// The finished lines.
    pub(crate) fn lines(&self) -> &[LogLine] {
        &self.lines
    }

    /// Takes the finished lines out.
    pub(crate) fn take_lines(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.lines)
    }

    /// Bytes written, kept or not.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Bytes that were not kept.
    pub(crate) fn dropped_bytes(&self) -> u64 {
        self.dropped_bytes
    }

    /// The part of `bytes` that there is room for; counts all of it. After the first loss nothing more is kept: a log
    /// with a hole in the middle misleads.
    fn admit<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.written_bytes += bytes.len() as u64;
        let room = usize::try_from(self.room_bytes).unwrap_or(usize::MAX);
        let kept = if bytes.len() <= room { bytes } else { &bytes[..character_start(bytes, room)] };
        let dropped = (bytes.len() - kept.len()) as u64;
        self.dropped_bytes += dropped;
        self.room_bytes = if dropped == 0 { self.room_bytes - kept.len() as u64 } else { 0 };
        kept
    }
}

/// The last place at or before `at` that is not inside a UTF-8 character.
fn character_start(bytes: &[u8], at: usize) -> usize {
    (0..=at).rev().take(4).find(|at| bytes[*at] & 0b1100_0000 != 0b1000_0000).unwrap_or(at)
}

fn line_of(bytes: &[u8], level: LogLevel, at: Timestamp) -> LogLine {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    LogLine { at, level, message: String::from_utf8_lossy(bytes).into_owned() }
}

/// A log buffer that the store and the guest's output streams write to.
#[derive(Debug, Clone)]
pub(crate) struct Logs(Arc<Mutex<LogBuffer>>);

impl Logs {
    /// Keeps at most `limit_bytes`.
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self(Arc::new(Mutex::new(LogBuffer::new(limit_bytes))))
    }

    /// The buffer. Nobody waits long for it: one guest writes at a time.
    pub(crate) fn lock(&self) -> MutexGuard<'_, LogBuffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::MIN;

    fn messages(buffer: &LogBuffer) -> Vec<(LogLevel, &str)> {
        buffer.lines().iter().map(|line| (line.level, line.message.as_str())).collect()
    }

    #[test]
    fn outputs_are_split_at_line_ends() {
        let mut buffer = LogBuffer::new(100);
        buffer.write(Output::Standard, b"one\r\ntw", NOW);
        buffer.write(Output::Error, b"oh\n", NOW);
        buffer.write(Output::Standard, b"", NOW);
        buffer.write(Output::Standard, b"o\nthree", NOW);
        buffer.close(NOW);
        let expected = [
            (LogLevel::Info, "one"),
            (LogLevel::Warn, "oh"),
            (LogLevel::Info, "two"),
            (LogLevel::Info, "three"),
        ];
        assert_eq!(messages(&buffer), expected);
        assert_eq!((buffer.written_bytes(), buffer.dropped_bytes()), (17, 0));
    }

    #[test]
    fn what_is_over_the_limit_is_counted_and_nothing_after_it_is_kept() {
        let mut buffer = LogBuffer::new(6);
        buffer.write(Output::Standard, b"1234\n", NOW);
        buffer.write(Output::Standard, "é\n".as_bytes(), NOW);
        buffer.log(LogLevel::Error, "", NOW);
        buffer.close(NOW);
        assert_eq!(messages(&buffer), [(LogLevel::Info, "1234")]);
        assert_eq!((buffer.written_bytes(), buffer.dropped_bytes()), (9, 4));
    }

    #[test]
    fn a_secret_that_was_cut_in_two_is_taken_out_too() {
        let redactor = Redactor::new(["s3cret-key"]);
        let mut buffer = LogBuffer::new(30);
        buffer.log(LogLevel::Info, "the key is s3cret-key", NOW);
        buffer.log(LogLevel::Info, "s3cret-key", NOW);
        buffer.redact(&redactor);
        let lines: Vec<_> = buffer.lines().iter().map(|line| line.message.as_str()).collect();
        assert_eq!(lines, ["the key is [redacted]", "[redacted]"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut buffer = LogBuffer::new(4);
        buffer.write(Output::Standard, &[0x80; 9], NOW);
        buffer.close(NOW);
        assert_eq!(messages(&buffer), [(LogLevel::Info, "\u{fffd}".repeat(4).as_str())]);
    }

    #[test]
    fn a_message_of_several_lines_is_several_lines() {
        let mut buffer = LogBuffer::new(100);
        buffer.log(LogLevel::Debug, "a\nb", NOW);
        assert_eq!(messages(&buffer), [(LogLevel::Debug, "a"), (LogLevel::Debug, "b")]);
        assert_eq!(buffer.written_bytes(), 4);
    }

    #[test]
    fn lines_are_few_however_short_they_are() {
        let now = Timestamp::default();
        let mut log = LogBuffer::new(64 << 10);
        log.write(Output::Standard, &[b'\n'; 5000], now);
        log.log(LogLevel::Info, &"\n".repeat(5000), now);
        log.write(Output::Error, b"more", now);
        log.close(now);
        assert_eq!(log.lines().len(), LINES_MAX);
        assert_eq!(log.written_bytes(), 5000 + 5001 + 4);
        assert_eq!(log.dropped_bytes(), log.written_bytes() - LINES_MAX as u64);
    }
}
