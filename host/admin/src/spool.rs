//! Uploads on their way in: into a file, so that however large and many they are they take no memory, and hashed as they
//! come.
//!
//! The file has no name. Whatever becomes of the upload, of its client or of this host, nothing of it is left.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Request;
use innkeeper_model::id::{Digest, DigestOfParts};
use innkeeper_model::upload::{ReadAt, Upload};
use innkeeper_store::StoreError;

use crate::body::{self, BodyLimit, Sink};
use crate::problem::Problem;

/// Bytes that are written at once.
const PART_BYTES: usize = 256 << 10;

/// Receives the body of `request` into a file in `folder`, which is made if it is not there.
pub(crate) async fn receive(request: Request, limit: BodyLimit, folder: &Path) -> Result<Upload, Problem> {
    let folder = folder.to_owned();
    let file = blocking(move || open(&folder)).await?;
    let mut spool = Spool { file: Arc::new(file), digest: Digest::of_parts(), size: 0, part: Vec::new() };
    body::read_into(request, limit, &mut spool).await?;
    spool.write().await?;
    Ok(Upload::new(spool.digest.finish(), spool.size, Spooled(spool.file)))
}

/// A file that is gone when nobody has it open any more.
fn open(folder: &PathBuf) -> io::Result<File> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    tempfile::tempfile_in(folder)
}

/// An upload that is being received.
struct Spool {
    file: Arc<File>,
    digest: DigestOfParts,
    size: u64,
    /// What is not written yet.
    part: Vec<u8>,
}

impl Sink for Spool {
    async fn take(&mut self, bytes: Bytes) -> Result<(), Problem> {
        self.digest.update(&bytes);
        self.size += bytes.len() as u64;
        self.part.extend_from_slice(&bytes);
        if self.part.len() < PART_BYTES { Ok(()) } else { self.write().await }
    }
}

impl Spool {
    async fn write(&mut self) -> Result<(), Problem> {
        let (file, part) = (Arc::clone(&self.file), std::mem::take(&mut self.part));
        blocking(move || (&*file).write_all(&part)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten();
    done.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full.into(),
        _ => Problem::internal(format!("an upload could not be kept while it was received: {error}")),
    })
}

/// An upload that was received.
struct Spooled(Arc<File>);

impl ReadAt for Spooled {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(&*self.0, buffer, offset);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(&*self.0, buffer, offset);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;

    use super::*;

    const LIMIT: BodyLimit =
        BodyLimit { bytes_max: 1 << 20, timeout: Duration::from_mins(1), pause: Duration::from_mins(1) };

    async fn receive_from(body: Body, folder: &Path) -> Result<Upload, Problem> {
        receive(Request::new(body), LIMIT, folder).await
    }

    #[tokio::test]
    async fn an_upload_is_what_was_sent_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let uploads = folder.path().join("uploads");
        let sent: Vec<u8> = (0..(1 << 20)).map(|place: u32| place.to_le_bytes()[1]).collect();
        let upload = receive_from(Body::from(sent.clone()), &uploads).await.expect("an upload");
        assert_eq!((upload.size(), upload.digest()), (1 << 20, Digest::of(&sent)));
        assert_eq!(upload.to_vec().expect("a file"), sent);
        assert_eq!(uploads.read_dir().expect("a folder").count(), 0, "the file has no name");
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let parts = futures_util::stream::repeat_with(|| Ok::<_, io::Error>(vec![0; 1000]));
        let refused = receive_from(Body::from_stream(parts), folder.path()).await;
        assert!(refused.is_err());
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_used_is_the_hosts_fault() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let refused = receive_from(Body::from("x"), &file.path().join("uploads")).await;
        assert!(refused.is_err());
    }
}
