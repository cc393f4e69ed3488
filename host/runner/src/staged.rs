//! Components that were uploaded for a declaration which is still to come. They are checked already, and kept in files
//! without names: what nobody asks for is gone after a while, and with the process in any case.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use innkeeper_model::id::{Digest, TenantId};
use innkeeper_model::time::Timestamp;
use innkeeper_store::{Location, TenantUsage};

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

/// How long a component waits.
const WAIT: Duration = Duration::from_mins(15);

/// Bytes of one tenant's components that wait at most. What waits longest makes room.
const BYTES_MAX: u64 = 256 << 20;

/// A component that waits for the declaration that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedComponent {
    /// Its digest, by which a declaration names it.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Interfaces it imports.
    pub imports: Vec<String>,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// What waits, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Staged(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    tenant: TenantId,
    component: StagedComponent,
    file: Arc<Mutex<File>>,
}

impl Staged {
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what has waited too long.
    pub(crate) fn expire(&self, now: Timestamp) {
        self.lock().retain(|entry| entry.component.expires_at > now);
    }

    /// Whether this component of the tenant waits.
    pub(crate) fn holds(&self, tenant: &TenantId, digest: &Digest) -> bool {
        self.lock().iter().any(|entry| entry.is(tenant, digest))
    }

    fn keep(&self, tenant: &TenantId, component: StagedComponent, file: File) {
        let mut entries = self.lock();
        entries.retain(|entry| !entry.is(tenant, &component.digest));
        let own = entries.iter().filter(|entry| entry.tenant == *tenant).map(|entry| entry.component.size);
        let mut excess = (own.sum::<u64>() + component.size).saturating_sub(BYTES_MAX);
        entries.retain(|entry| {
            let goes = excess > 0 && entry.tenant == *tenant;
            excess = excess.saturating_sub(if goes { entry.component.size } else { 0 });
            !goes
        });
        entries.push(Entry { tenant: tenant.clone(), component, file: Arc::new(Mutex::new(file)) });
    }

    fn find(&self, tenant: &TenantId, digest: &Digest) -> Option<(StagedComponent, Arc<Mutex<File>>)> {
        let entries = self.lock();
        let entry = entries.iter().find(|entry| entry.is(tenant, digest))?;
        Some((entry.component.clone(), Arc::clone(&entry.file)))
    }

    /// Forgets a component that is stored now.
    pub(crate) fn forget(&self, tenant: &TenantId, digest: &Digest) {
        self.lock().retain(|entry| !entry.is(tenant, digest));
    }
}

impl Entry {
    fn is(&self, tenant: &TenantId, digest: &Digest) -> bool {
        self.tenant == *tenant && self.component.digest == *digest
    }
}

impl TaskRunner {
    /// Checks a component and keeps it for a quarter of an hour, for a declaration that names its digest.
    ///
    /// # Errors
    /// [`RunnerError::Refused`] if it is no plugin this host can run; [`RunnerError::QuotaExceeded`] if the tenant may not have
    /// it. Then nothing is kept.
    pub async fn stage_component(
        &self,
        tenant: &TenantId,
        bytes: Arc<[u8]>,
    ) -> Result<StagedComponent, RunnerError> {
        self.refuse_when_stopping()?;
        let kept = self.0.open_tenant(tenant)?;
        self.0.admit_upload(&kept)?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.0.admit_stored(&kept, TenantUsage { stored_bytes: size, ..TenantUsage::default() }).await?;
        let admission = self.0.sandbox.admit(Arc::clone(&bytes)).await?;
        let place = self.directory();
        let file = in_background(move || write(place, &bytes)).await?;
        let (digest, imports) = (admission.digest, admission.imports);
        let expires_at = self.0.clock.now().saturating_add(WAIT);
        let component = StagedComponent { digest, size, imports, expires_at };
        self.0.staged.keep(tenant, component.clone(), file);
        tracing::info!(%tenant, %digest, "component.staged");
        Ok(component)
    }

    /// A component that waits, with its bytes; `None` if it does not.
    pub(crate) async fn staged(
        &self,
        tenant: &TenantId,
        digest: &Digest,
    ) -> Result<Option<(StagedComponent, Arc<[u8]>)>, RunnerError> {
        let Some((component, file)) = self.0.staged.find(tenant, digest) else { return Ok(None) };
        let bytes = in_background(move || read(&file)).await?;
        Ok(Some((component, bytes)))
    }

    /// Where the database is, if that is a directory.
    fn directory(&self) -> Option<PathBuf> {
        match self.0.store.location() {
            Location::File(path) => path.parent().map(std::path::Path::to_owned),
            Location::Memory => None,
        }
    }
}

fn write(directory: Option<PathBuf>, bytes: &[u8]) -> std::io::Result<File> {
    let mut file = directory.map_or_else(tempfile::tempfile, tempfile::tempfile_in)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn read(file: &Mutex<File>) -> std::io::Result<Arc<[u8]>> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, RunnerError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other).flatten();
    done.map_err(RunnerError::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: u8, size: u64, at: i64) -> StagedComponent {
        let expires_at = Timestamp::from_millis(at);
        StagedComponent { digest: Digest::of(&[name]), size, imports: Vec::new(), expires_at }
    }

    #[test]
    fn what_waits_longest_makes_room_and_nobody_elses() {
        let staged = Staged::default();
        let (ours, theirs): (TenantId, TenantId) =
            (TenantId::default_tenant(), "acme".parse().expect("an id"));
        let keep = |tenant: &TenantId, name, size, at| {
            staged.keep(tenant, component(name, size, at), tempfile::tempfile().expect("a file"));
        };
        let holds = |tenant: &TenantId, name| staged.holds(tenant, &Digest::of(&[name]));
        keep(&theirs, 1, BYTES_MAX, 10);
        keep(&ours, 1, BYTES_MAX / 2, 10);
        keep(&ours, 2, BYTES_MAX / 2, 20);
        keep(&ours, 3, 1, 30);
        assert_eq!([1, 2, 3].map(|name| holds(&ours, name)), [false, true, true]);
        assert!(holds(&theirs, 1));
        staged.expire(Timestamp::from_millis(20));
        assert_eq!([2, 3].map(|name| holds(&ours, name)), [false, true]);
        staged.forget(&ours, &Digest::of(&[3]));
        assert!(!holds(&ours, 3) && !holds(&theirs, 1));
    }

    #[test]
    fn the_bytes_come_back_however_often() {
        let file = Mutex::new(write(None, b"abc").expect("a file"));
        for _ in 0..2 {
            assert_eq!(&*read(&file).expect("bytes"), b"abc");
        }
    }
}
