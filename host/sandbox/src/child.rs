//! Compiling in a process of its own, which is a wall around the compiler: a component of a few kilobytes can ask it for
//! gigabytes or for minutes, and its faults must not be the host's.
//!
//! The host ([`launch`]) starts a program that does nothing but call [`compile_standard_input`] ([`worker`]). The two speak
//! over standard input and output: a [`Request`] and the component one way, one of the [`Answer`]s the other way. The
//! program bounds its own memory and processor time before it looks at the component, and the host bounds its time.

mod launch;
mod worker;

use std::time::Duration;

pub(crate) use launch::compile;
pub use worker::compile_standard_input;

/// The beginning of both messages. A program that is not the host's compiler is told by its lack.
const MAGIC: [u8; 8] = *b"INKCOMP2";
/// Bytes of an answer before its artifact or message.
const ANSWER_HEAD_BYTES: usize = MAGIC.len() + 1 + 8 + 8;
/// Bytes of a request before the component.
const REQUEST_BYTES: usize = MAGIC.len() + 5 * 8;

/// What a compilation in a process of its own may use. What goes beyond is a refusal with the limit's name and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileLimits {
    /// Bytes of address space of the process.
    pub memory_bytes: u64,
    /// Processor time over all its threads, in whole seconds, at least one.
    pub processor_time: Duration,
    /// Time from its start to its end.
    pub timeout: Duration,
    /// Bytes of machine code and data that come out.
    pub artifact_bytes: u64,
    /// Threads that compile functions, at least 1.
    pub threads: usize,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 2 << 30,
            processor_time: Duration::from_mins(2),
            timeout: Duration::from_mins(4),
            artifact_bytes: 256 << 20,
            // Compiling is what an uploader waits for, but never the host's first duty.
            threads: std::thread::available_parallelism().map_or(2, usize::from).min(4),
        }
    }
}

/// What the compiler is told before the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Request {
    /// Bytes of address space.
    memory_bytes: u64,
    /// Processor time.
    processor_seconds: u64,
    /// Bytes of machine code and data that come out.
    artifact_bytes: u64,
    /// Bytes of memory that a guest may start with.
    guest_memory_bytes: u64,
    /// The process that asks. Without it nobody reads the answer.
    parent: u64,
}

impl Request {
    fn encode(&self) -> [u8; REQUEST_BYTES] {
        let numbers = [
            self.memory_bytes,
            self.processor_seconds,
            self.artifact_bytes,
            self.guest_memory_bytes,
            self.parent,
        ];
        let mut bytes = [0; REQUEST_BYTES];
        let (magic, rest) = bytes.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        for (place, number) in rest.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8; REQUEST_BYTES]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let mut numbers = rest.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
        Some(Self {
            memory_bytes: numbers.next()?,
            processor_seconds: numbers.next()?,
            artifact_bytes: numbers.next()?,
            guest_memory_bytes: numbers.next()?,
            parent: numbers.next()?,
        })
    }
}

/// What comes of a compilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The artifact.
    Compiled,
    /// A message: the bytes are not a valid component.
    Invalid,
    /// A message: a limit on structure or size.
    TooLarge,
    /// The process has no more memory; the message says what it wanted it for.
    OutOfMemory,
    /// A core module that cannot be made a component.
    CoreModule,
    /// What the component exports, none of it a handler: a name on each line.
    MissingExport,
    /// The handlers that it exports: a name on each line.
    SeveralHandlers,
    /// What it imports that is not offered: a name on each line.
    MissingImports,
}

impl Answer {
    const ALL: [Self; 8] = [
        Self::Compiled,
        Self::Invalid,
        Self::TooLarge,
        Self::OutOfMemory,
        Self::CoreModule,
        Self::MissingExport,
        Self::SeveralHandlers,
        Self::MissingImports,
    ];

    /// The head of an answer of `length` further bytes from an engine that makes code for `compatibility`.
    fn head(self, compatibility: u64, length: u64) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(self as u8);
        bytes.extend_from_slice(&compatibility.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes
    }

    /// The answer, the engine's compatibility and what follows, if `bytes` are a whole answer.
    fn decode(bytes: &[u8]) -> Option<(Self, u64, &[u8])> {
        let (head, rest) = bytes.split_at_checked(ANSWER_HEAD_BYTES)?;
        let (kind, numbers) = head.strip_prefix(&MAGIC)?.split_first()?;
        let answer = Self::ALL.into_iter().find(|answer| *answer as u8 == *kind)?;
        let mut numbers = numbers.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
        let compatibility = numbers.next()?;
        (numbers.next()? == rest.len() as u64).then_some((answer, compatibility, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_arrives_as_it_was_sent() {
        let request = Request {
            memory_bytes: 1,
            processor_seconds: 2,
            artifact_bytes: 3,
            guest_memory_bytes: 4,
            parent: u64::MAX,
        };
        let mut bytes = request.encode();
        assert_eq!(Request::decode(&bytes), Some(request));
        bytes[0] ^= 1;
        assert_eq!(Request::decode(&bytes), None);
    }

    #[test]
    fn only_a_whole_answer_is_one() {
        let mut bytes = Answer::TooLarge.head(7, 3);
        bytes.extend_from_slice(b"abc");
        assert_eq!(Answer::decode(&bytes), Some((Answer::TooLarge, 7, &b"abc"[..])));
        for length in 0..bytes.len() {
            assert_eq!(Answer::decode(&bytes[..length]), None, "{length} bytes");
        }
        bytes.push(b'd');
        assert_eq!(Answer::decode(&bytes), None, "a byte too many");
        assert_eq!(Answer::decode(b"any other program's output, of whatever length"), None);
    }
}
