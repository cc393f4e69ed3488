//! A copy of the database, taken while the host works and sent to whoever asked.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::auth::Tenant;
use crate::problem::Problem;
use crate::router::Api;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 256 << 10;

/// Chunks that wait to be sent.
const CHUNKS_MAX: usize = 4;

/// Takes a copy into the data directory, checks it, streams it, and removes it. Only one is taken at a time.
pub(crate) async fn backup(State(api): State<Arc<Api>>, Tenant(_): Tenant) -> Result<Response, Problem> {
    let Ok(turn) = Arc::clone(&api.backups).try_acquire_owned() else {
        return Err(Problem::backup_in_progress());
    };
    let path = api.runner.backup().await?.ok_or_else(Problem::nothing_to_back_up)?;
    let copy = Copy { path, _turn: turn };
    let opened = File::open(&copy.path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (bytes, file) = opened.map_err(|error| Problem::internal(error.to_string()))?;
    let mut response = Response::new(stream(file, copy));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.sqlite3"));
    headers.insert(CONTENT_LENGTH, bytes.into());
    let name = HeaderValue::from_static("attachment; filename=\"innkeeper-backup.db\"");
    headers.insert(CONTENT_DISPOSITION, name);
    Ok(response)
}

/// A copy on the disk, and the turn that it takes. Both are given back when it is dropped.
struct Copy {
    path: PathBuf,
    _turn: OwnedSemaphorePermit,
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "backup.remove failed");
        }
    }
}

/// Reads the file on a thread that may block, no faster than it is sent, until it ends or the client has gone.
fn stream(mut file: File, copy: Copy) -> Body {
    let (chunks, body) = mpsc::channel(CHUNKS_MAX);
    tokio::task::spawn_blocking(move || {
        let _kept_until_it_is_read = copy;
        loop {
            match read(&mut file) {
                Ok(chunk) if chunk.is_empty() => return,
                Ok(chunk) => {
                    if chunks.blocking_send(chunk).is_err() {
                        return;
                    }
                }
                // The client sees that bytes are missing.
                Err(error) => return tracing::error!(%error, "backup.read failed"),
            }
        }
    });
    Body::new(Chunks(body))
}

fn read(file: &mut File) -> io::Result<Bytes> {
    let mut chunk = Vec::new();
    file.take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
    Ok(chunk.into())
}

struct Chunks(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
