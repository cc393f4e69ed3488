//! Room on the disk: a file of ballast is given up when the disk is full, because SQLite cannot delete without writing.
//!
//! Once it is given up the store counts as full: deletions and the ends of executions are written, new work is refused by
//! whoever asks [`Store::is_full`]. The store is no longer full when there is room for the ballast again.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Location, Store, StoreError};

/// The ballast's file name.
const BALLAST: &str = "ballast";

/// Bytes that must be free beyond the ballast before it is made again, at least.
const SLACK_BYTES: u64 = 1 << 20;

/// Whether there is room, and what is kept for when there is none.
#[derive(Debug, Default)]
pub(crate) struct Room {
    is_full: AtomicBool,
    ballast: Mutex<Option<Ballast>>,
}

#[derive(Debug, Clone)]
struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Room {
    /// Gives up the ballast: the disk is full.
    pub(crate) fn release(&self) {
        if self.is_full.swap(true, Ordering::SeqCst) {
            return;
        }
        let ballast = self.ballast();
        let released = ballast.as_ref().map_or(0, |ballast| ballast.bytes);
        if let Some(ballast) = &ballast
            && let Err(error) = std::fs::remove_file(&ballast.path)
        {
            tracing::error!(%error, "store.ballast cannot be given up");
        }
        tracing::error!(released_bytes = released, "store.full: the disk is full; no new work is taken");
    }

    fn ballast(&self) -> Option<Ballast> {
        self.ballast.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Store {
    /// Whether the disk was full when something was to be written and has not had room since. In memory it never is.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.room().is_full.load(Ordering::SeqCst)
    }

    /// Keeps `bytes` of the disk as ballast, in a file beside the database. In memory, and with 0 bytes, there is none.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there is no room for it, [`StoreError::Refused`] if it cannot be made. The store works without.
    pub fn keep_ballast(&self, bytes: u64) -> Result<(), StoreError> {
        let Location::File(database) = self.location() else { return Ok(()) };
        let path = database.with_file_name(BALLAST);
        let mut kept = self.room().ballast.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = None;
        if bytes == 0 {
            let _none_there = std::fs::remove_file(path);
            return Ok(());
        }
        *kept = Some(Ballast { path: path.clone(), bytes });
        drop(kept);
        allocate(&path, bytes)
    }

    /// Takes new work again if the disk has room for the ballast once more. Whether it does.
    #[must_use]
    pub fn regain_room(&self) -> bool {
        let room = self.room();
        if !self.is_full() {
            return true;
        }
        let ballast = room.ballast();
        let wanted = ballast.as_ref().map_or(0, |ballast| ballast.bytes);
        let is_enough = self.free_bytes().is_none_or(|free| free >= wanted.saturating_add(SLACK_BYTES));
        if !is_enough || ballast.is_some_and(|ballast| allocate(&ballast.path, ballast.bytes).is_err()) {
            return false;
        }
        room.is_full.store(false, Ordering::SeqCst);
        tracing::info!("store.room: there is room on the disk again");
        true
    }

    /// Bytes of the disk that are free for this process; `None` in memory, or if nobody can tell.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        match self.location() {
            Location::Memory => None,
            Location::File(path) => free_bytes(path),
        }
    }

    /// Makes sure that the writer answers: it runs an empty transaction.
    ///
    /// # Errors
    /// [`StoreError::Stopped`] if it does not any more.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.write_urgently(1, |_| Ok(())).await
    }
}

/// Bytes that are free for this process on the disk of `path`; `None` if nobody can tell.
#[must_use]
pub fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Makes a file of this size whose blocks are really there.
fn allocate(path: &Path, bytes: u64) -> Result<(), StoreError> {
    let made = make(path, bytes);
    if made.is_err() {
        // What was made of it would only take room.
        let _none_there = std::fs::remove_file(path);
    }
    made.map_err(|error| match error.kind() {
        std::io::ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Refused(format!("cannot make {}: {error}", path.display())),
    })
}

fn make(path: &Path, bytes: u64) -> std::io::Result<()> {
    if path.metadata().is_ok_and(|data| data.len() == bytes) {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    match reserve(&file, bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => fill(&mut file, bytes)?,
        reserved => reserved?,
    }
    file.sync_all()
}

#[cfg(target_os = "linux")]
fn reserve(file: &File, bytes: u64) -> std::io::Result<()> {
    let reserved = rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes);
    reserved.map_err(|error| match error {
        rustix::io::Errno::OPNOTSUPP => std::io::ErrorKind::Unsupported.into(),
        error => error.into(),
    })
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

fn fill(file: &mut File, bytes: u64) -> std::io::Result<()> {
    let chunk = vec![0xB5_u8; 64 << 10];
    let mut left = bytes;
    while left > 0 {
        let length = left.min(chunk.len() as u64);
        file.write_all(&chunk[..usize::try_from(length).unwrap_or(chunk.len())])?;
        left -= length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durability;

    #[tokio::test]
    async fn a_full_disk_gives_up_the_ballast_and_room_brings_it_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.db");
        let store = Store::open(&Location::File(path), Durability::Normal).expect("a store");
        store.keep_ballast(1 << 20).expect("ballast");
        let ballast = directory.path().join(BALLAST);
        assert_eq!(ballast.metadata().expect("a file").len(), 1 << 20);
        assert!(!store.is_full() && store.regain_room());
        let full = store.write(|_| Err::<(), _>(StoreError::Full)).await;
        assert!(matches!(full, Err(StoreError::Full)));
        assert!(store.is_full() && !ballast.exists());
        store.write(|_| Ok(())).await.expect("the store itself still writes");
        assert!(store.regain_room() && !store.is_full());
        assert!(ballast.exists());
        store.keep_ballast(0).expect("none");
        assert!(!ballast.exists());
    }

    #[test]
    fn a_file_is_filled_to_its_size() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("filled");
        let mut file = File::create(&path).expect("a file");
        fill(&mut file, (64 << 10) + 7).expect("filled");
        assert_eq!(path.metadata().expect("a file").len(), (64 << 10) + 7);
    }

    #[test]
    fn a_disk_says_what_is_free() {
        assert!(free_bytes(Path::new("/")).is_some_and(|free| free > 0));
        assert_eq!(free_bytes(Path::new("/no/such/folder")), None);
    }
}
