//! The table `audit`: who changed what through the API.

use innkeeper_model::id::{AuditId, TenantId};
use innkeeper_model::time::Timestamp;
use rusqlite::{Row, params};

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// Entries that are kept of one tenant.
const KEPT_MAX: u32 = 10_000;

/// A change that somebody asked for through the API, whatever came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its identifier; ordered by time.
    pub id: AuditId,
    /// When it was answered.
    pub at: Timestamp,
    /// Who asked: the name and the id of a token, or what stands for one.
    pub actor: String,
    /// The HTTP method.
    pub method: String,
    /// The path, ids included.
    pub path: String,
    /// The HTTP status of the answer.
    pub status: u16,
}

impl Store {
    /// Notes a change. The oldest entries of the tenant make room. Nothing is noted of a tenant that is gone.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn note_audit(&self, tenant: &TenantId, entry: AuditEntry) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.write(move |connection| {
            let sql = "INSERT INTO audit (tenant, id, at, actor, method, path, status)
                SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM tenants WHERE id = ?1 AND status <> 'deleting'";
            let (id, at) = (entry.id.to_string(), entry.at.to_string());
            let values =
                params![tenant.as_str(), id, at, entry.actor, entry.method, entry.path, entry.status];
            connection.prepare_cached(sql)?.execute(values)?;
            let sql = "DELETE FROM audit WHERE tenant = ?1 AND id <=
                (SELECT id FROM audit WHERE tenant = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
            connection.prepare_cached(sql)?.execute(params![tenant.as_str(), KEPT_MAX])?;
            Ok(())
        })
        .await
    }

    /// What was changed, the newest first, at most `limit`, and before `before`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn audit(
        &self,
        tenant: &TenantId,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |connection| {
            let sql = "SELECT id, at, actor, method, path, status FROM audit
                WHERE tenant = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3";
            let before = before.map(|id| id.to_string());
            let mut statement = connection.prepare_cached(sql)?;
            let entries = statement.query_map(params![tenant.as_str(), before, limit], read)?;
            Ok(entries.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        id: row.parsed("id")?,
        at: row.parsed("at")?,
        actor: row.plain("actor")?,
        method: row.plain("method")?,
        path: row.plain("path")?,
        status: row.plain("status")?,
    })
}
