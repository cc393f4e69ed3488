//! Versions of a plugin beside the active one, and which of them is active.

use innkeeper_model::id::{Digest, PluginName, TenantId};
use innkeeper_model::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};
use serde::Serialize;

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// A stored version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredVersion {
    /// Its digest.
    pub digest: Digest,
    /// Size of its component, in bytes.
    pub size: u64,
    /// Interfaces it imports.
    pub imports: Vec<String>,
    /// When it was first uploaded.
    pub created_at: Timestamp,
    /// Whether new runs use it.
    pub is_active: bool,
}

/// Which version is to be the active one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionChoice {
    /// The one of this digest.
    Digest(Digest),
    /// The one that was uploaded last before the active one.
    Previous,
}

impl Store {
    /// The versions of a plugin, the latest upload first. None if there is no such plugin.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plugin_versions(
        &self,
        tenant: &TenantId,
        name: &PluginName,
    ) -> Result<Vec<StoredVersion>, StoreError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT v.digest, v.size, v.imports, v.createdAt, v.digest = p.activeDigest AS isActive
                    FROM plugin_versions v JOIN plugins p ON p.tenant = v.tenant AND p.name = v.plugin
                    WHERE v.tenant = ?1 AND v.plugin = ?2 ORDER BY v.createdAt DESC, v.rowid DESC",
            )?;
            Ok(statement.query_map([tenant.as_str(), name.as_str()], read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Makes a stored version the active one, for runs that are recorded from now on. Gives its digest, or `None` if there is no
    /// such version.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn activate_version(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        choice: VersionChoice,
        now: Timestamp,
    ) -> Result<Option<Digest>, StoreError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.write(move |connection| {
            let digest = match choice {
                VersionChoice::Digest(digest) => Some(digest.to_string()),
                VersionChoice::Previous => None,
            };
            let sql = "SELECT v.digest FROM plugin_versions v
                JOIN plugins p ON p.tenant = v.tenant AND p.name = v.plugin
                JOIN plugin_versions a ON a.tenant = p.tenant AND a.plugin = p.name AND a.digest = p.activeDigest
                WHERE v.tenant = ?1 AND v.plugin = ?2 AND CASE WHEN ?3 IS NULL
                    THEN (v.createdAt, v.rowid) < (a.createdAt, a.rowid) ELSE v.digest = ?3 END
                ORDER BY v.createdAt DESC, v.rowid DESC LIMIT 1";
            let found = connection
                .query_row(sql, params![tenant.as_str(), name.as_str(), digest], |row| row.parsed("digest"))
                .optional()?;
            let Some(found): Option<Digest> = found else { return Ok(None) };
            connection.execute(
                "UPDATE plugins SET activeDigest = ?3, updatedAt = ?4
                    WHERE tenant = ?1 AND name = ?2 AND activeDigest <> ?3",
                params![tenant.as_str(), name.as_str(), found.to_string(), now.to_string()],
            )?;
            Ok(Some(found))
        })
        .await
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredVersion> {
    Ok(StoredVersion {
        digest: row.parsed("digest")?,
        size: row.plain("size")?,
        imports: row.json("imports")?.unwrap_or_default(),
        created_at: row.parsed("createdAt")?,
        is_active: row.plain("isActive")?,
    })
}
