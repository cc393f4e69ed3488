//! Compiled components on disk.
//!
//! An artifact is machine code that runs with the host's rights: one flipped bit is a hole in the sandbox. So each carries
//! a keyed hash (HMAC-SHA256) over its digest, the engine it is for, and its bytes, and is compiled anew when that does not
//! agree. The key is random, made at the first start, and kept beside the artifacts for the host's user alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use innkeeper_model::id::Digest;
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine;
use crate::error::SandboxError;

const KEY_FILE: &str = "key";
/// As many as the hash takes in at once.
const KEY_BYTES: usize = 64;
const TAG_BYTES: usize = 32;
const EXTENSION: &str = "artifact";
/// Of an artifact that is being written.
const PART_EXTENSION: &str = "part";

/// A folder of compiled components for one engine.
pub(crate) struct ArtifactCache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    /// What the engine's machine code depends on.
    compatibility: u64,
    bytes_max: u64,
}

/// Turns an artifact into a component that can be run. It must be one that a compiler of this host finished, unchanged since:
/// its hash was just checked, or the compiler just handed it over.
pub(crate) fn revive(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    #[expect(unsafe_code, reason = "the engine cannot tell its own machine code from anybody else's")]
    // SAFETY: both callers hold what `Engine::precompile_component` gave in this host or in its compiler. The engine itself
    // checks that it was made by the same version with the same settings.
    unsafe {
        Component::deserialize(engine, artifact)
    }
}

/// Removes what a host was writing when it ended.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == PART_EXTENSION) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Makes a folder that only its owner can use: whoever can write to it could have code run as the host.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

impl ArtifactCache {
    /// Opens the cache in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder or its key cannot be read or written.
    pub(crate) fn open(folder: PathBuf, bytes_max: u64, engine: &Engine) -> Result<Self, SandboxError> {
        let failed = |path: &Path, source| SandboxError::Cache { path: path.to_owned(), source };
        create_private(&folder).map_err(|error| failed(&folder, error))?;
        let key_file = folder.join(KEY_FILE);
        let key = read_or_make_key(&key_file).map_err(|error| failed(&key_file, error))?;
        remove_unfinished(&folder).map_err(|error| failed(&folder, error))?;
        Ok(Self { folder, key, compatibility: engine::compatibility(engine), bytes_max })
    }

    /// The compiled component, or `None` if there is none that can be trusted.
    pub(crate) fn load(&self, digest: &Digest, engine: &Engine) -> Option<Component> {
        let path = self.path(digest);
        let sealed = fs::read(&path).ok()?;
        let Some(artifact) = self.unseal(digest, &sealed) else {
            tracing::warn!(path = %path.display(), "a compiled component is damaged; it is compiled again");
            return None;
        };
        // Whoever can forge the hash can read the host's key, and so is the host's user.
        let component = revive(engine, artifact);
        component.inspect_err(|error| tracing::warn!(path = %path.display(), "not loaded: {error:#}")).ok()
    }

    /// Keeps a compiled component. A failure costs a compilation later, so it is told and nothing more.
    pub(crate) fn keep(&self, digest: &Digest, artifact: &[u8]) {
        if let Err(error) = self.write(digest, artifact).and_then(|()| self.prune()) {
            tracing::warn!(folder = %self.folder.display(), "a compiled component was not kept: {error}");
        }
    }

    fn write(&self, digest: &Digest, artifact: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        let part = path.with_extension(PART_EXTENSION);
        let mut file = File::create(&part)?;
        file.write_all(&self.mac(digest, artifact).finalize().into_bytes())?;
        file.write_all(artifact)?;
        drop(file);
        fs::rename(&part, &path)
    }

    /// Removes the artifacts written longest ago until the rest fits.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == EXTENSION) {
                let metadata = entry.metadata()?;
                let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push((written, metadata.len(), entry.path()));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if total <= self.bytes_max {
                break;
            }
            fs::remove_file(path)?;
            total -= bytes;
        }
        Ok(())
    }

    /// One name per digest and engine: an artifact of another version of the host is never even opened.
    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}-{:016x}.{EXTENSION}", self.compatibility))
    }

    fn unseal<'a>(&self, digest: &Digest, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (tag, artifact) = sealed.split_at_checked(TAG_BYTES)?;
        self.mac(digest, artifact).verify_slice(tag).ok()?;
        Some(artifact)
    }

    fn mac(&self, digest: &Digest, artifact: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(digest.as_bytes());
        mac.update(&self.compatibility.to_be_bytes());
        mac.update(artifact);
        mac
    }
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    match File::open(path) {
        Ok(mut file) => {
            let mut key = [0; KEY_BYTES];
            // A key that was cut short protects nothing: with a new one, everything is compiled again.
            if file.metadata()?.len() == KEY_BYTES as u64 && file.read_exact(&mut key).is_ok() {
                return Ok(key);
            }
            fs::remove_file(path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    make_key(path)
}

fn make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn engine() -> Engine {
        Engine::default()
    }

    fn open(folder: &Path, bytes_max: u64, engine: &Engine) -> ArtifactCache {
        ArtifactCache::open(folder.to_owned(), bytes_max, engine).expect("a writable folder")
    }

    fn keep(cache: &ArtifactCache, engine: &Engine, name: &[u8]) -> (Digest, PathBuf) {
        let digest = Digest::of(name);
        cache.keep(&digest, &engine.precompile_component(EMPTY).expect("an artifact"));
        (digest, cache.path(&digest))
    }

    #[test]
    fn an_artifact_is_loaded_again_by_the_next_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine();
        let (digest, _) = keep(&open(folder.path(), u64::MAX, &engine), &engine, b"a");
        assert!(open(folder.path(), u64::MAX, &engine).load(&digest, &engine).is_some());
    }

    #[test]
    fn no_bit_can_be_flipped_and_no_byte_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine();
        let cache = open(folder.path(), u64::MAX, &engine);
        let (digest, path) = keep(&cache, &engine, b"a");
        let whole = fs::read(&path).expect("the artifact");
        for at in (0..whole.len()).step_by(whole.len() / 50) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(cache.unseal(&digest, &flipped).is_none(), "byte {at}");
            assert!(cache.unseal(&digest, &whole[..at]).is_none(), "{at} bytes");
        }
        fs::write(&path, &whole[..whole.len() - 1]).expect("a writable folder");
        assert!(cache.load(&digest, &engine).is_none());
        fs::write(&path, &whole).expect("a writable folder");
        assert!(cache.load(&digest, &engine).is_some());
    }

    #[test]
    fn what_was_not_finished_is_removed_at_the_next_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine();
        let (digest, path) = keep(&open(folder.path(), u64::MAX, &engine), &engine, b"a");
        let part = path.with_extension(PART_EXTENSION);
        fs::write(&part, "half of it").expect("a writable folder");
        assert!(open(folder.path(), u64::MAX, &engine).load(&digest, &engine).is_some());
        assert!(!part.exists());
    }

    #[test]
    fn artifacts_cannot_be_swapped() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine();
        let cache = open(folder.path(), u64::MAX, &engine);
        let (one, path_of_one) = keep(&cache, &engine, b"one");
        let (other, path_of_other) = keep(&cache, &engine, b"other");
        fs::rename(&path_of_one, &path_of_other).expect("a writable folder");
        assert!(cache.load(&one, &engine).is_none());
        assert!(cache.load(&other, &engine).is_none());
    }

    #[test]
    fn an_artifact_of_another_engine_or_key_is_not_loaded() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine();
        let cache = open(folder.path(), u64::MAX, &engine);
        let (digest, path) = keep(&cache, &engine, b"a");
        let fuelled = Engine::new(wasmtime::Config::new().consume_fuel(true)).expect("an engine");
        let outdated = open(folder.path(), u64::MAX, &fuelled);
        fs::copy(&path, outdated.path(&digest)).expect("a writable folder");
        assert!(outdated.load(&digest, &fuelled).is_none());
        fs::write(folder.path().join(KEY_FILE), "short").expect("a writable folder");
        assert!(open(folder.path(), u64::MAX, &engine).load(&digest, &engine).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_hosts_user_can_read_the_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        open(folder.path(), u64::MAX, &engine());
        let metadata = fs::metadata(folder.path().join(KEY_FILE)).expect("the key");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_folder_does_not_grow_over_its_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine();
        let (_, path) = keep(&open(folder.path(), u64::MAX, &engine), &engine, b"a");
        let bytes = fs::metadata(&path).expect("the artifact").len();
        let cache = open(folder.path(), bytes, &engine);
        keep(&cache, &engine, b"b");
        let left = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 2, "the key and one artifact");
    }
}
