//! The table `uploads`: uploads that were answered before they were done, and what each came to.

use innkeeper_model::id::{Digest, PluginName, TenantId, UploadId};
use innkeeper_model::time::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// Uploads that are kept of one tenant.
const KEPT_MAX: u32 = 200;

/// An upload that was answered before it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRecord {
    /// When it was received.
    pub started_at: Timestamp,
    /// When it was done, or found to have been interrupted; `None` while it goes on.
    pub ended_at: Option<Timestamp>,
    /// The status and the body that it would have been answered with; `None` while it goes on, and if the host stopped
    /// before it was done.
    pub answer: Option<(u16, String)>,
}

impl Store {
    /// Notes that the version's upload `id` goes on. The oldest uploads of the tenant that are done make room.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn begin_upload(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        digest: Digest,
        id: UploadId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.write(move |connection| {
            let sql = "INSERT OR REPLACE INTO uploads (tenant, plugin, digest, id, startedAt) VALUES (?1, ?2, ?3, ?4, ?5)";
            let (tenant, digest, id) = (tenant.as_str(), digest.to_string(), id.to_string());
            let values = params![tenant, name.as_str(), digest, id, now.to_string()];
            connection.prepare_cached(sql)?.execute(values)?;
            let sql = "DELETE FROM uploads WHERE tenant = ?1 AND endedAt IS NOT NULL AND id <=
                (SELECT id FROM uploads WHERE tenant = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
            connection.prepare_cached(sql)?.execute(params![tenant, KEPT_MAX])?;
            Ok(())
        })
        .await
    }

    /// Notes what the upload `id` came to, unless a later one of the same version has taken its place.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn end_upload(
        &self,
        tenant: &TenantId,
        id: UploadId,
        (status, answer): (u16, String),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.write(move |connection| {
            let sql =
                "UPDATE uploads SET endedAt = ?3, status = ?4, answer = ?5 WHERE tenant = ?1 AND id = ?2";
            let values = params![tenant.as_str(), id.to_string(), now.to_string(), status, answer];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
        .await
    }

    /// Notes that what an earlier host had not done is not going to be done. Returns how many uploads that are.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn interrupt_uploads(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.write(move |connection| {
            let sql = "UPDATE uploads SET endedAt = ?1 WHERE endedAt IS NULL";
            Ok(connection.execute(sql, [now.to_string()])?)
        })
        .await
    }

    /// The latest upload of a version that was answered before it was done, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn upload(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        digest: Digest,
    ) -> Result<Option<UploadRecord>, StoreError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.read(move |connection| {
            let sql = "SELECT startedAt, endedAt, status, answer FROM uploads
                WHERE tenant = ?1 AND plugin = ?2 AND digest = ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let key = params![tenant.as_str(), name.as_str(), digest.to_string()];
            let found = statement.query_row(key, |row| {
                let status: Option<u16> = row.plain("status")?;
                Ok(UploadRecord {
                    started_at: row.parsed("startedAt")?,
                    ended_at: row.parsed_option("endedAt")?,
                    answer: status.zip(row.plain("answer")?),
                })
            });
            Ok(found.optional()?)
        })
        .await
    }
}
