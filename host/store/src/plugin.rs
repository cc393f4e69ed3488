//! The tables `plugins` and `plugin_versions`.

use std::sync::Arc;

use innkeeper_model::id::{Digest, PluginName, TenantId};
use innkeeper_model::precondition::Precondition;
use innkeeper_model::rollout::VersionFacts;
use innkeeper_model::task::PluginRef;
use innkeeper_model::time::Timestamp;
use innkeeper_model::upload::Upload;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// A plugin and its active version. One of which nothing was activated yet has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plugin {
    /// Its name.
    pub name: PluginName,
    /// The active version's digest.
    pub digest: Option<Digest>,
    /// Size of the active version's component, in bytes.
    pub size: Option<u64>,
    /// Interfaces the active version imports.
    pub imports: Vec<String>,
    /// When the plugin was first uploaded.
    pub created_at: Timestamp,
    /// When the active version last changed.
    pub updated_at: Timestamp,
    /// Why no run of the active version starts; `None` if it is not quarantined.
    pub quarantine: Option<Quarantine>,
}

/// A version that is blamed for too many crashes of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantine {
    /// Since when.
    pub since: Timestamp,
    /// The crashes that it is blamed for.
    pub crashes: u32,
}

impl Plugin {
    /// What names its state, for preconditions: its active digest.
    #[must_use]
    pub fn tag(&self) -> String {
        self.digest.map_or_else(|| NO_VERSION.to_owned(), |digest| digest.to_string())
    }
}

/// The tag of a plugin without an active version.
const NO_VERSION: &str = "none";

/// A version to be stored.
#[derive(Debug, Clone)]
pub struct PluginVersion {
    /// The plugin's name.
    pub name: PluginName,
    /// The version's digest.
    pub digest: Digest,
    /// How it is called, such as `command`.
    pub handler: String,
    /// Interfaces it imports.
    pub imports: Vec<String>,
    /// Who uploads it; `None` if it is not to be noted.
    pub uploaded_by: Option<String>,
    /// The component.
    pub component: Upload,
}

impl PluginVersion {
    /// What is compared of it.
    #[must_use]
    pub fn facts(&self) -> VersionFacts {
        VersionFacts {
            digest: self.digest,
            size: self.component.size(),
            handler: Some(self.handler.clone()),
            imports: self.imports.clone(),
        }
    }
}

impl Store {
    /// The plugin of this name, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plugin(&self, tenant: &TenantId, name: &PluginName) -> Result<Option<Plugin>, StoreError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!("{SELECT} AND p.name = ?2"))?;
            Ok(statement.query_row([tenant.as_str(), name.as_str()], read).optional()?)
        })
        .await
    }

    /// The versions of a plugin whose digests begin with `digits`, two at most: one is what was meant, two are too many.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn versions_beginning(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        digits: &str,
    ) -> Result<Vec<Digest>, StoreError> {
        let (tenant, name, first) = (tenant.clone(), name.clone(), digits.to_owned());
        self.read(move |connection| {
            let sql = "SELECT digest FROM plugin_versions
                WHERE tenant = ?1 AND plugin = ?2 AND digest >= ?3 AND digest < ?3 || 'g' ORDER BY digest LIMIT 2";
            let mut statement = connection.prepare_cached(sql)?;
            let digests =
                statement.query_map([tenant.as_str(), name.as_str(), first.as_str()], |row| row.parsed("digest"))?;
            Ok(digests.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Every plugin of the tenant, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plugins(&self, tenant: &TenantId) -> Result<Vec<Plugin>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY p.name"))?;
            Ok(statement.query_map([tenant.as_str()], read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Deletes a plugin with its versions. `false` if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::Precondition`] if the plugin is not as demanded; [`StoreError::PluginInUse`] if tasks name it or runs
    /// wait for it.
    pub async fn delete_plugin(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        precondition: Precondition,
    ) -> Result<bool, StoreError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.write(move |connection| {
            check(connection, &tenant, &name, &precondition)?;
            delete(connection, &tenant, &name)
        })
        .await
    }

    /// The component of a version, whatever the plugin's name, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn component(
        &self,
        tenant: &TenantId,
        digest: &Digest,
    ) -> Result<Option<Arc<[u8]>>, StoreError> {
        let (tenant, digest) = (tenant.clone(), *digest);
        self.read(move |connection| {
            let sql = "SELECT component FROM plugin_versions WHERE tenant = ?1 AND digest = ?2 LIMIT 1";
            let bytes = connection
                .query_row(sql, params![tenant.as_str(), digest.to_string()], |row| row.get::<_, Vec<u8>>(0))
                .optional()?;
            Ok(bytes.map(Arc::from))
        })
        .await
    }
}

/// A plugin's tag is the digest of its active version.
pub(crate) fn check(
    connection: &Connection,
    tenant: &TenantId,
    name: &PluginName,
    precondition: &Precondition,
) -> Result<(), StoreError> {
    if *precondition == Precondition::None {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(&format!("{SELECT} AND p.name = ?2"))?;
    let plugin = statement.query_row([tenant.as_str(), name.as_str()], read).optional()?;
    Ok(precondition.check(plugin.map(|plugin| plugin.tag()).as_deref())?)
}

const SELECT: &str = "SELECT p.name, v.digest, v.size, v.imports, p.createdAt, p.updatedAt,
        q.quarantinedAt, q.crashes
    FROM plugins p LEFT JOIN plugin_versions v
        ON v.tenant = p.tenant AND v.plugin = p.name AND v.digest = p.activeDigest AND NOT p.isStaged
    LEFT JOIN suspects q ON q.tenant = p.tenant AND q.plugin = p.name AND q.digest = p.activeDigest
        AND q.quarantinedAt IS NOT NULL AND NOT p.isStaged
    WHERE p.tenant = ?1";

fn read(row: &Row<'_>) -> rusqlite::Result<Plugin> {
    Ok(Plugin {
        name: row.parsed("name")?,
        digest: row.parsed_option("digest")?,
        size: row.plain("size")?,
        imports: row.json("imports")?.unwrap_or_default(),
        created_at: row.parsed("createdAt")?,
        updated_at: row.parsed("updatedAt")?,
        quarantine: match row.parsed_option("quarantinedAt")? {
            Some(since) => Some(Quarantine { since, crashes: row.plain("crashes")? }),
            None => None,
        },
    })
}

/// Deletes a plugin with its versions, unless something needs it. `false` if it does not exist.
pub(crate) fn delete(
    connection: &Connection,
    tenant: &TenantId,
    name: &PluginName,
) -> Result<bool, StoreError> {
    let key = [tenant.as_str(), name.as_str()];
    let sql = "SELECT count(*) FROM tasks WHERE tenant = ?1 AND plugin = ?2";
    let tasks: u32 = connection.query_row(sql, key, |row| row.get(0))?;
    let sql = "SELECT count(*) FROM runs WHERE tenant = ?1 AND plugin = ?2";
    let runs: u32 = connection.query_row(sql, key, |row| row.get(0))?;
    if tasks > 0 || runs > 0 {
        return Err(StoreError::PluginInUse { plugin: name.to_string(), tasks, runs });
    }
    let sql = "DELETE FROM uploads WHERE tenant = ?1 AND plugin = ?2 AND endedAt IS NOT NULL";
    connection.execute(sql, key)?;
    let sql = "DELETE FROM plugins WHERE tenant = ?1 AND name = ?2";
    Ok(connection.execute(sql, key)? == 1)
}

/// Whether a task may name this handler. Without a version it means the active one, which must be there then.
pub(crate) fn exists(
    connection: &Connection,
    tenant: &TenantId,
    plugin: &PluginRef,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM plugin_versions v JOIN plugins p ON p.tenant = v.tenant AND p.name = v.plugin
        WHERE v.tenant = ?1 AND v.plugin = ?2 AND CASE WHEN ?3 IS NULL THEN NOT p.isStaged ELSE v.digest = ?3 END";
    let digest = plugin.digest.map(|digest| digest.to_string());
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.exists(params![tenant.as_str(), plugin.name.as_str(), digest])?)
}
