//! Components that were uploaded for a declaration which is still to come. They are checked already, and stay where they were
//! received: what nobody asks for is gone after a while, and with the process in any case.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use innkeeper_model::id::{Digest, TenantId};
use innkeeper_model::time::Timestamp;
use innkeeper_model::upload::Upload;
use innkeeper_store::TenantUsage;

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

/// How long a component waits.
const WAIT: Duration = Duration::from_mins(15);

/// Bytes of one tenant's components that wait at most. What waits longest makes room.
const BYTES_MAX: u64 = 256 << 20;

/// One tenant's components that wait at most: each holds a file open.
const COUNT_MAX: usize = 64;

/// A component that waits for the declaration that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedComponent {
    /// Its digest, by which a declaration names it.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// How it is called, such as `command`.
    pub handler: String,
    /// Interfaces it imports.
    pub imports: Vec<String>,
    /// Who uploaded it, for people.
    pub uploaded_by: Option<String>,
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
    upload: Upload,
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

    fn keep(&self, tenant: &TenantId, component: StagedComponent, upload: Upload) {
        let mut entries = self.lock();
        entries.retain(|entry| !entry.is(tenant, &component.digest));
        let own = || entries.iter().filter(|entry| entry.tenant == *tenant);
        let bytes = own().map(|entry| entry.component.size).sum::<u64>() + component.size;
        let (mut excess, mut count) = (bytes.saturating_sub(BYTES_MAX), own().count() + 1);
        entries.retain(|entry| {
            let goes = (excess > 0 || count > COUNT_MAX) && entry.tenant == *tenant;
            if goes {
                excess = excess.saturating_sub(entry.component.size);
                count -= 1;
            }
            !goes
        });
        entries.push(Entry { tenant: tenant.clone(), component, upload });
    }

    /// A component that waits, with its bytes; `None` if it does not.
    pub(crate) fn find(&self, tenant: &TenantId, digest: &Digest) -> Option<(StagedComponent, Upload)> {
        let entries = self.lock();
        let entry = entries.iter().find(|entry| entry.is(tenant, digest))?;
        Some((entry.component.clone(), entry.upload.clone()))
    }

    /// Forgets what a tenant that is gone had waiting.
    pub(crate) fn forget_tenant(&self, tenant: &TenantId) {
        self.lock().retain(|entry| entry.tenant != *tenant);
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
        upload: Upload,
        uploaded_by: Option<String>,
    ) -> Result<StagedComponent, RunnerError> {
        self.refuse_when_stopping()?;
        let kept = self.0.open_tenant(tenant)?;
        self.0.admit_upload(&kept)?;
        let size = upload.size();
        self.0.admit_stored(&kept, TenantUsage { stored_bytes: size, ..TenantUsage::default() }).await?;
        let admission = self.0.sandbox.admit(upload.clone()).await?;
        let (digest, handler, imports) = (admission.digest, admission.handler, admission.imports);
        let expires_at = self.0.clock.now().saturating_add(WAIT);
        let component = StagedComponent { digest, size, handler, imports, uploaded_by, expires_at };
        self.0.staged.keep(tenant, component.clone(), upload);
        tracing::info!(%tenant, %digest, "component.staged");
        Ok(component)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: u8, size: u64, at: i64) -> StagedComponent {
        let expires_at = Timestamp::from_millis(at);
        StagedComponent {
            digest: Digest::of(&[name]),
            size,
            handler: String::new(),
            imports: Vec::new(),
            uploaded_by: None,
            expires_at,
        }
    }

    #[test]
    fn what_waits_longest_makes_room_and_nobody_elses() {
        let staged = Staged::default();
        let (ours, theirs): (TenantId, TenantId) =
            (TenantId::default_tenant(), "acme".parse().expect("an id"));
        let keep = |tenant: &TenantId, name, size, at| {
            staged.keep(tenant, component(name, size, at), Upload::from(vec![name]));
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
        for name in 0..=64 {
            keep(&ours, name, 1, 30);
        }
        assert_eq!([0, 1, 64].map(|name| holds(&ours, name)), [false, true, true], "64 of them wait");
        staged.forget_tenant(&ours);
        assert!(!holds(&ours, 64));
    }
}
