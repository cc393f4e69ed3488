//! Versions of a plugin: what is stored of them, and which may go.

use innkeeper_model::id::{Digest, PluginName, TenantId};
use innkeeper_model::rollout::VersionFacts;
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
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
    /// How it is called, such as `command`; `None` if it was uploaded by a host that did not note it.
    pub handler: Option<String>,
    /// When it was first uploaded.
    pub created_at: Timestamp,
    /// Who uploaded it first: the name and the id of a token, or what stands for one. `None` if that was not noted.
    pub uploaded_by: Option<String>,
    /// Whether new runs use it.
    pub is_active: bool,
    /// Runs that were recorded with it and have not ended.
    pub runs: u64,
    /// Tasks that name it.
    pub tasks: u64,
}

impl StoredVersion {
    /// What is compared of it.
    #[must_use]
    pub fn facts(&self) -> VersionFacts {
        let (handler, imports) = (self.handler.clone(), self.imports.clone());
        VersionFacts { digest: self.digest, size: self.size, handler, imports }
    }
}

/// Which version is meant.
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
            let sql = format!("{SELECT} ORDER BY v.createdAt DESC, v.rowid DESC");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_map([tenant.as_str(), name.as_str()], read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The version that is meant, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plugin_version(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        choice: VersionChoice,
    ) -> Result<Option<StoredVersion>, StoreError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.read(move |connection| choose(connection, &tenant, &name, choice)).await
    }

    /// Deletes a version. `false` if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::VersionInUse`] if it is active or the plugin's only one, or if tasks or unfinished runs need it.
    pub async fn delete_version(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        digest: Digest,
    ) -> Result<bool, StoreError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.write(move |connection| {
            let Some(version) = choose(connection, &tenant, &name, VersionChoice::Digest(digest))? else {
                return Ok(false);
            };
            let StoredVersion { is_active, runs, tasks, .. } = version;
            let key = params![tenant.as_str(), name.as_str(), digest.to_string()];
            let sql = "SELECT digest FROM plugin_versions WHERE tenant = ?1 AND plugin = ?2 AND digest <> ?3 LIMIT 1";
            let other: Option<String> = connection.query_row(sql, key, |row| row.get(0)).optional()?;
            let (Some(other), false, 0, 0) = (other, is_active, runs, tasks) else {
                return Err(StoreError::VersionInUse { digest, is_active, runs, tasks });
            };
            // A plugin without an active version still names one of its versions.
            let sql = "UPDATE plugins SET activeDigest = ?4 WHERE tenant = ?1 AND name = ?2 AND activeDigest = ?3";
            let named = params![tenant.as_str(), name.as_str(), digest.to_string(), other];
            connection.execute(sql, named)?;
            // What its upload came to is no longer so.
            let sql = "DELETE FROM uploads WHERE tenant = ?1 AND plugin = ?2 AND digest = ?3 AND endedAt IS NOT NULL";
            connection.execute(sql, key)?;
            let sql = "DELETE FROM plugin_versions WHERE tenant = ?1 AND plugin = ?2 AND digest = ?3";
            Ok(connection.execute(sql, key)? == 1)
        })
        .await
    }
}

/// Runs and tasks are counted by group, so that a plugin of many versions looks at them once.
const SELECT: &str = "SELECT v.digest, v.size, v.imports, v.createdAt, f.handler, f.uploadedBy,
        v.digest = p.activeDigest AND NOT p.isStaged AS isActive, coalesce(r.count, 0) AS runs,
        coalesce(t.count, 0) AS tasks
    FROM plugin_versions v JOIN plugins p ON p.tenant = v.tenant AND p.name = v.plugin
    LEFT JOIN version_facts f ON f.tenant = v.tenant AND f.plugin = v.plugin AND f.digest = v.digest
    LEFT JOIN (SELECT pluginDigest, count(*) AS count FROM runs WHERE tenant = ?1 AND plugin = ?2
        GROUP BY pluginDigest) r ON r.pluginDigest = v.digest
    LEFT JOIN (SELECT pluginDigest, count(*) AS count FROM tasks WHERE tenant = ?1 AND plugin = ?2
        AND pluginDigest IS NOT NULL GROUP BY pluginDigest) t ON t.pluginDigest = v.digest
    WHERE v.tenant = ?1 AND v.plugin = ?2";

/// The version that is meant. Where there is no active version, none was before it.
pub(crate) fn choose(
    connection: &Connection,
    tenant: &TenantId,
    name: &PluginName,
    choice: VersionChoice,
) -> Result<Option<StoredVersion>, StoreError> {
    let digest = match choice {
        VersionChoice::Digest(digest) => Some(digest.to_string()),
        VersionChoice::Previous => None,
    };
    let sql = format!(
        "{SELECT} AND CASE WHEN ?3 IS NOT NULL THEN v.digest = ?3 ELSE NOT p.isStaged AND (v.createdAt, v.rowid) <
            (SELECT a.createdAt, a.rowid FROM plugin_versions a
                WHERE a.tenant = ?1 AND a.plugin = ?2 AND a.digest = p.activeDigest) END
        ORDER BY v.createdAt DESC, v.rowid DESC LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![tenant.as_str(), name.as_str(), digest], read).optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredVersion> {
    Ok(StoredVersion {
        digest: row.parsed("digest")?,
        size: row.plain("size")?,
        imports: row.json("imports")?.unwrap_or_default(),
        handler: row.plain("handler")?,
        created_at: row.parsed("createdAt")?,
        uploaded_by: row.plain("uploadedBy")?,
        is_active: row.plain("isActive")?,
        runs: row.plain("runs")?,
        tasks: row.plain("tasks")?,
    })
}
