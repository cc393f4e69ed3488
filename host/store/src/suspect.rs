//! The table `suspects`: plugin versions that ran when the host crashed, and those that are quarantined for it.

use innkeeper_model::id::{Digest, PluginName, TaskId, TenantId};
use innkeeper_model::quarantine::{blamed, is_quarantined};
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::run::Claimed;
use crate::value::Columns as _;
use crate::{Store, StoreError};

/// A plugin version that is blamed for crashes of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Whose it is.
    pub tenant: TenantId,
    /// The plugin.
    pub plugin: PluginName,
    /// The version.
    pub digest: Digest,
    /// Crashes it is blamed for.
    pub crashes: u32,
    /// Since when it is quarantined; `None` if it is not.
    pub quarantined_at: Option<Timestamp>,
}

/// A version: tenant, plugin, digest, as they are stored.
type Version = (String, String, String);

impl Store {
    /// Every suspect of every tenant.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn suspects(&self) -> Result<Vec<Suspect>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT tenant, plugin, digest, crashes, quarantinedAt FROM suspects";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Clears a version, or all of a plugin if none is named. Returns whether any of them was a suspect.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn clear_suspects(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
        digest: Option<Digest>,
    ) -> Result<bool, StoreError> {
        let (tenant, plugin) = (tenant.clone(), plugin.clone());
        let digest = digest.map(|digest| digest.to_string());
        self.write(move |connection| {
            let sql = "DELETE FROM suspects
                WHERE tenant = ?1 AND plugin = ?2 AND (?3 IS NULL OR digest = ?3)";
            let values = params![tenant.as_str(), plugin.as_str(), digest];
            Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
        })
        .await
    }

    /// The tasks of a plugin that are paused for a quarantine, and would not use a quarantined version now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn quarantine_released(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
    ) -> Result<Vec<TaskId>, StoreError> {
        let key = (tenant.clone(), plugin.clone());
        self.read(move |connection| {
            let sql = "SELECT t.id FROM tasks t JOIN plugins p ON p.tenant = t.tenant AND p.name = t.plugin
                WHERE t.tenant = ?1 AND t.plugin = ?2 AND t.pauseReason IS NOT NULL AND NOT EXISTS
                    (SELECT 1 FROM suspects s WHERE s.tenant = t.tenant AND s.plugin = t.plugin
                        AND s.digest = coalesce(t.pluginDigest, p.activeDigest) AND s.quarantinedAt IS NOT NULL)";
            let mut statement = connection.prepare_cached(sql)?;
            let tasks = statement.query_map([key.0.as_str(), key.1.as_str()], |row| row.parsed("id"))?;
            Ok(tasks.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// Blames versions that ran at a crash, and quarantines those that were blamed too often. Returns how many.
pub(crate) fn blame(
    connection: &Connection,
    versions: &[Version],
    now: Timestamp,
) -> Result<u32, StoreError> {
    let mut before = Vec::with_capacity(versions.len());
    for version in versions {
        let sql = "SELECT coalesce(max(crashes), 0) FROM suspects WHERE tenant = ?1 AND plugin = ?2 AND digest = ?3";
        before.push(connection.query_row(sql, version_key(version), |row| row.get::<_, u32>(0))?);
    }
    let mut quarantined = 0;
    for ((version, crashes), is_blamed) in versions.iter().zip(&before).zip(blamed(&before)) {
        if !is_blamed {
            continue;
        }
        let crashes = crashes.saturating_add(1);
        let since = is_quarantined(crashes).then(|| now.to_string());
        let sql = "INSERT INTO suspects (tenant, plugin, digest, crashes, quarantinedAt)
            VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tenant, plugin, digest)
            DO UPDATE SET crashes = ?4, quarantinedAt = coalesce(quarantinedAt, ?5)";
        let (tenant, plugin, digest) = version;
        connection.execute(sql, params![tenant, plugin, digest, crashes, since])?;
        if since.is_some() {
            pause_tasks(connection, version, crashes)?;
            quarantined += 1;
        }
    }
    Ok(quarantined)
}

/// Pauses the tasks that would use a version from now on. Those that somebody has paused stay as they are.
fn pause_tasks(connection: &Connection, version: &Version, crashes: u32) -> Result<(), StoreError> {
    let (tenant, plugin, digest) = version;
    let reason = format!(
        "its plugin `{plugin}` is quarantined: the host crashed {crashes} times while version {} of it ran",
        digest.get(..12).unwrap_or(digest)
    );
    let sql = "UPDATE tasks SET isPaused = 1, revision = revision + 1, pauseReason = ?4, heldRunAt = NULL,
            nextRunAt = CASE WHEN cron IS NULL THEN coalesce(nextRunAt, heldRunAt) END,
            status = CASE status WHEN 'running' THEN status ELSE 'paused' END
        WHERE tenant = ?1 AND plugin = ?2 AND isPaused = 0 AND coalesce(pluginDigest,
            (SELECT activeDigest FROM plugins p WHERE p.tenant = ?1 AND p.name = ?2)) = ?3";
    connection.execute(sql, params![tenant, plugin, digest, reason])?;
    Ok(())
}

/// Whether a run must not start now: its version is quarantined, or is a suspect while another suspect runs.
pub(crate) fn holds(connection: &Connection, claimed: &Claimed) -> Result<bool, StoreError> {
    let sql = "SELECT s.quarantinedAt IS NOT NULL OR EXISTS (SELECT 1 FROM runs r INDEXED BY runs_started JOIN suspects o
                ON o.tenant = r.tenant AND o.plugin = r.plugin AND o.digest = r.pluginDigest
            WHERE r.firstStartedAt IS NOT NULL AND r.state = 'running')
        FROM suspects s WHERE s.tenant = ?1 AND s.plugin = ?2 AND s.digest = ?3";
    let key = (claimed.tenant.as_str(), claimed.plugin.as_str(), claimed.digest.to_string());
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    Ok(match rows.next()? {
        Some(row) => row.get(0)?,
        None => false,
    })
}

fn version_key(version: &Version) -> (&str, &str, &str) {
    (&version.0, &version.1, &version.2)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Suspect> {
    Ok(Suspect {
        tenant: row.parsed("tenant")?,
        plugin: row.parsed("plugin")?,
        digest: row.parsed("digest")?,
        crashes: row.plain("crashes")?,
        quarantined_at: row.parsed_option("quarantinedAt")?,
    })
}
