//! A component on its way in.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use crate::id::Digest;

/// Bytes that can be read from any place on, wherever they are. Two kinds are: those in memory, and those in a file.
pub trait ReadAt {
    /// Reads from `offset` on into `buffer`, and says how many bytes. None are at and after the end.
    ///
    /// # Errors
    /// Those of whatever holds the bytes.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Bytes in memory.
struct Memory(Arc<[u8]>);

impl ReadAt for Memory {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
}

/// An uploaded component: its name, its size, and its bytes, which nobody changes any more. Cheap to clone.
#[derive(Clone)]
pub struct Upload {
    digest: Digest,
    size: u64,
    bytes: Arc<dyn ReadAt + Send + Sync>,
}

impl Upload {
    /// An upload of `size` bytes, whose digest was taken as they came.
    pub fn new(digest: Digest, size: u64, bytes: impl ReadAt + Send + Sync + 'static) -> Self {
        Self { digest, size, bytes: Arc::new(bytes) }
    }

    /// The version's name.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// In bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads it from its beginning.
    #[must_use]
    pub fn reader(&self) -> UploadReader {
        UploadReader { upload: self.clone(), offset: 0 }
    }

    /// The whole of it, in memory.
    ///
    /// # Errors
    /// Those of whatever holds the bytes.
    pub fn to_vec(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or_default());
        self.reader().read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl ReadAt for Upload {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read_at(offset, buffer)
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digest, size) = (self.digest, self.size);
        out.debug_struct("Upload").field("digest", &digest).field("size", &size).finish_non_exhaustive()
    }
}

impl From<Arc<[u8]>> for Upload {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::new(Digest::of(&bytes), bytes.len() as u64, Memory(bytes))
    }
}

impl From<&[u8]> for Upload {
    fn from(bytes: &[u8]) -> Self {
        Arc::<[u8]>::from(bytes).into()
    }
}

impl From<Vec<u8>> for Upload {
    fn from(bytes: Vec<u8>) -> Self {
        Arc::<[u8]>::from(bytes).into()
    }
}

/// Reads an upload from its beginning to its end.
pub struct UploadReader {
    upload: Upload,
    offset: u64,
}

impl Read for UploadReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.upload.read_at(self.offset, buffer)?;
        self.offset += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_read_from_any_place() {
        let upload = Upload::from(&b"component"[..]);
        assert_eq!((upload.size(), upload.digest()), (9, Digest::of(b"component")));
        assert_eq!(upload.to_vec().expect("bytes in memory"), b"component");
        let mut buffer = [0; 4];
        for (offset, expected) in [(0, &b"comp"[..]), (5, b"nent"), (7, b"nt"), (9, b""), (u64::MAX, b"")] {
            let count = upload.read_at(offset, &mut buffer).expect("bytes in memory");
            assert_eq!(&buffer[..count], expected);
        }
    }
}
