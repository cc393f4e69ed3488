//! The folder that a host owns: two hosts on one database would run everything twice.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use innkeeper_runner::SecretKey;

/// The file whose lock says that the folder is in use.
const LOCK: &str = "lock";

/// A folder that belongs to this process until it is dropped.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    /// The system gives the lock back when the file is closed, however the process ends.
    _lock: File,
}

impl DataDirectory {
    /// Takes the folder, which is made if need be, readable by nobody else.
    ///
    /// # Errors
    /// Another host owns the folder, or it cannot be used.
    pub(crate) fn lock(path: &Path) -> anyhow::Result<Self> {
        create(path).with_context(|| cannot("make the data directory", path))?;
        let owned = Self::take(path)?;
        let made = owned.create_database();
        made.with_context(|| cannot("open", &owned.database()))?;
        Ok(owned)
    }

    /// Takes a folder that has been used before, to look at it.
    ///
    /// # Errors
    /// There is no database in it, a host owns it, or it cannot be used.
    pub(crate) fn examine(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        ensure!(
            database_in(path).exists(),
            "there is no database in {shown}: name a data directory with --data-dir"
        );
        Self::take(path)
    }

    fn take(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let file = path.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&file);
        let lock = lock.with_context(|| cannot("open", &file))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!(
                "another innkeeper server uses the data directory {shown}: stop it, or name another one with --data-dir"
            ),
            Err(TryLockError::Error(error)) => {
                Err(anyhow!(error).context(format!("cannot lock {}", file.display())))
            }
        }
    }

    /// Makes an empty database file that only its owner can read; SQLite gives the same rights to what it puts beside it.
    fn create_database(&self) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.database()).map(drop)
    }

    /// The key that secrets are encrypted with. It is made with the first start, readable by nobody else; whoever backs up
    /// the database needs it too.
    ///
    /// # Errors
    /// The file cannot be read or made, or holds no key.
    pub(crate) fn secret_key(&self) -> anyhow::Result<SecretKey> {
        let path = self.secret_key_file();
        let shown = path.display();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(mut file) => {
                let key = SecretKey::generate();
                let written = writeln!(file, "{}", key.to_text()).and_then(|()| file.sync_all());
                written.with_context(|| format!("cannot write the secret key {shown}"))?;
                Ok(key)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => crate::config::read_secret_key(&path),
            Err(error) => Err(anyhow!(error).context(format!("cannot make the secret key {shown}"))),
        }
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        database_in(&self.path)
    }

    /// Where the key is that secrets are encrypted with, unless it is kept elsewhere.
    pub(crate) fn secret_key_file(&self) -> PathBuf {
        self.path.join("secret.key")
    }

    /// The folder of compiled plugins.
    pub(crate) fn cache(&self) -> PathBuf {
        self.path.join("cache")
    }

    /// The folder in which components are received.
    pub(crate) fn uploads(&self) -> PathBuf {
        self.path.join("uploads")
    }
}

/// The database file of a data directory.
pub(crate) fn database_in(path: &Path) -> PathBuf {
    path.join("innkeeper.db")
}

/// Makes sure that a folder is there and that nothing is in it but a lock that nobody holds.
///
/// # Errors
/// There is something in it, or it cannot be made.
pub(crate) fn ensure_empty(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    create(path).with_context(|| cannot("make the data directory", path))?;
    let entries = std::fs::read_dir(path).with_context(|| cannot("read", path))?;
    let found = entries.filter_map(Result::ok).map(|entry| entry.file_name()).find(|name| name != LOCK);
    match found {
        None => Ok(()),
        Some(name) => bail!(
            "{shown} is not empty (there is {}): name a folder that is, or one that is not there yet",
            name.display()
        ),
    }
}

/// What could not be done, and what helps if that is because of rights.
fn cannot(what: &str, path: &Path) -> String {
    format!(
        "cannot {what} {}; it must belong to the user that runs innkeeper (name another folder with --data-dir)",
        path.display()
    )
}

fn create(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("deep/data");
        let owned = DataDirectory::lock(&path).expect("a free folder");
        let refused = DataDirectory::lock(&path).expect_err("a folder in use").to_string();
        assert!(refused.contains(&path.display().to_string()), "{refused}");
        let key = owned.secret_key().expect("a new key").to_text();
        assert_eq!(owned.secret_key().expect("the same key").to_text(), key);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path.join("secret.key")).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        drop(owned);
        DataDirectory::lock(&path).expect("a folder that is free again");
    }
}
