//! The record of changes that were made through an API.

use innkeeper_model::id::{AuditId, TenantId};
use innkeeper_store::AuditEntry;

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

impl TaskRunner {
    /// Notes a change of a tenant's things: who asked for it, how, and the HTTP status that answered it. It is stored a
    /// moment later; if it cannot be, the log says so.
    pub fn note_audit(&self, tenant: &TenantId, actor: String, method: String, path: String, status: u16) {
        let (store, tenant) = (self.0.store.clone(), tenant.clone());
        let entry =
            AuditEntry { id: self.0.ids.next(AuditId::new), at: self.now(), actor, method, path, status };
        self.0.loops.spawn(async move {
            if let Err(error) = store.note_audit(&tenant, entry).await {
                tracing::error!(%tenant, %error, "audit.note failed");
            }
        });
    }

    /// What was changed of a tenant, the newest first, at most `limit`, and before `before`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn audit(
        &self,
        tenant: &TenantId,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, RunnerError> {
        Ok(self.0.store.audit(tenant, before, limit).await?)
    }
}
