//! Storing a version and having it take the place of the active one: one transaction, whatever comes along with it.

use innkeeper_model::grants::Grants;
use innkeeper_model::id::{Digest, PluginName, TenantId};
use innkeeper_model::precondition::Precondition;
use innkeeper_model::rollout::{Changes, Rollout, VersionFacts};
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use crate::plugin::{PluginVersion, check};
use crate::plugin_version::{VersionChoice, choose};
use crate::value::{Columns as _, to_json};
use crate::{Store, StoreError, component};

/// What became of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The version.
    pub digest: Digest,
    /// Whether it was not stored before.
    pub is_new: bool,
    /// Whether it became the active version with this.
    pub is_activated: bool,
    /// What is different about it.
    pub changes: Changes,
    /// What the plugin is granted now.
    pub grants: Grants,
    /// Runs that moved to it.
    pub migrated: u64,
}

impl Store {
    /// Stores a version, and makes it the active one if that is wished.
    ///
    /// # Errors
    /// [`StoreError::Precondition`] if the plugin is not as demanded; [`StoreError::GrantsNeeded`] if somebody has to decide
    /// about what the version reaches for.
    pub async fn put_plugin(
        &self,
        tenant: &TenantId,
        version: PluginVersion,
        rollout: Rollout,
        precondition: Precondition,
        now: Timestamp,
    ) -> Result<Deployed, StoreError> {
        let tenant = tenant.clone();
        self.write(move |connection| {
            check(connection, &tenant, &version.name, &precondition)?;
            put(connection, &tenant, &version, &rollout, now)
        })
        .await
    }

    /// Makes a stored version the active one. `None` if there is no such version.
    ///
    /// # Errors
    /// [`StoreError::GrantsNeeded`] as with [`Store::put_plugin`].
    pub async fn activate_version(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        choice: VersionChoice,
        rollout: Rollout,
        now: Timestamp,
    ) -> Result<Option<Deployed>, StoreError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.write(move |connection| activate(connection, (&tenant, &name), choice, &rollout, now)).await
    }

    /// What would be different about a version if it took the place of the active one.
    ///
    /// # Errors
    /// [`StoreError::GrantsNeeded`] as with [`Store::put_plugin`].
    pub async fn compare_version(
        &self,
        tenant: &TenantId,
        name: &PluginName,
        facts: VersionFacts,
        rollout: Rollout,
    ) -> Result<Changes, StoreError> {
        let (tenant, name) = (tenant.clone(), name.clone());
        self.read(move |connection| {
            let before = Active::find(connection, &tenant, &name)?;
            Ok(decide(&name, before, &facts, &rollout)?.0)
        })
        .await
    }
}

/// Stores a version, and makes it the active one if that is wished.
pub(crate) fn put(
    connection: &Connection,
    tenant: &TenantId,
    version: &PluginVersion,
    rollout: &Rollout,
    now: Timestamp,
) -> Result<Deployed, StoreError> {
    let before = Active::find(connection, tenant, &version.name)?;
    let is_new = insert(connection, tenant, version, now)?;
    let deployed = roll_out(connection, (tenant, &version.name), before, &version.facts(), rollout, now)?;
    Ok(Deployed { is_new, ..deployed })
}

/// Makes a stored version the active one. `None` if there is no such version.
pub(crate) fn activate(
    connection: &Connection,
    (tenant, name): (&TenantId, &PluginName),
    choice: VersionChoice,
    rollout: &Rollout,
    now: Timestamp,
) -> Result<Option<Deployed>, StoreError> {
    let Some(version) = choose(connection, tenant, name, choice)? else { return Ok(None) };
    let before = Active::find(connection, tenant, name)?;
    roll_out(connection, (tenant, name), before, &version.facts(), rollout, now).map(Some)
}

/// The version that is active, and what the plugin is granted.
#[derive(Default)]
struct Active {
    facts: Option<VersionFacts>,
    grants: Grants,
}

impl Active {
    fn find(connection: &Connection, tenant: &TenantId, name: &PluginName) -> Result<Self, StoreError> {
        let sql = "SELECT p.isStaged, p.grants, v.digest, v.size, v.imports, f.handler FROM plugins p
            JOIN plugin_versions v ON v.tenant = p.tenant AND v.plugin = p.name AND v.digest = p.activeDigest
            LEFT JOIN version_facts f ON f.tenant = v.tenant AND f.plugin = v.plugin AND f.digest = v.digest
            WHERE p.tenant = ?1 AND p.name = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row([tenant.as_str(), name.as_str()], |row| {
            let is_staged: bool = row.plain("isStaged")?;
            let facts = if is_staged { None } else { Some(read_facts(row)?) };
            Ok(Self { facts, grants: row.json("grants")?.unwrap_or_default() })
        });
        Ok(found.optional()?.unwrap_or_default())
    }
}

fn read_facts(row: &Row<'_>) -> rusqlite::Result<VersionFacts> {
    Ok(VersionFacts {
        digest: row.parsed("digest")?,
        size: row.plain("size")?,
        handler: row.plain("handler")?,
        imports: row.json("imports")?.unwrap_or_default(),
    })
}

/// What is different about the version, and what the plugin is granted with it.
fn decide(
    name: &PluginName,
    before: Active,
    facts: &VersionFacts,
    rollout: &Rollout,
) -> Result<(Changes, Grants), StoreError> {
    let Active { facts: former, mut grants } = before;
    if rollout.activates {
        grants.extend(&rollout.allow);
    }
    let changes = Changes::between(former, facts, &grants);
    let undecided = changes.undecided();
    if rollout.activates && !rollout.accepts_denial && !undecided.is_empty() {
        return Err(StoreError::GrantsNeeded { plugin: name.to_string(), kinds: undecided });
    }
    Ok((changes, grants))
}

fn roll_out(
    connection: &Connection,
    (tenant, name): (&TenantId, &PluginName),
    before: Active,
    facts: &VersionFacts,
    rollout: &Rollout,
    now: Timestamp,
) -> Result<Deployed, StoreError> {
    let digest = facts.digest;
    let is_active = before.facts.as_ref().is_some_and(|former| former.digest == digest);
    let (changes, grants) = decide(name, before, facts, rollout)?;
    let is_activated = rollout.activates && !is_active;
    let key = (tenant.as_str(), name.as_str(), digest.to_string());
    if is_activated {
        let sql = "UPDATE plugins SET activeDigest = ?3, isStaged = 0, updatedAt = ?4 WHERE tenant = ?1 AND name = ?2";
        connection.prepare_cached(sql)?.execute(params![key.0, key.1, key.2, now.to_string()])?;
    }
    if rollout.activates && !rollout.allow.is_empty() {
        let sql = "UPDATE plugins SET grants = ?3 WHERE tenant = ?1 AND name = ?2";
        connection.prepare_cached(sql)?.execute(params![key.0, key.1, to_json(&grants)?])?;
    }
    let migrated = if rollout.activates { migrate(connection, &key, rollout.migrates)? } else { 0 };
    Ok(Deployed { digest, is_new: false, is_activated, changes, grants, migrated })
}

/// Moves the runs that wait to a version. Those of a task that names a version stay: its author has chosen. One that is being
/// executed stays too, with what may follow from it.
///
/// Those on a quarantined version are moved in any case: they would wait for ever.
fn migrate(connection: &Connection, key: &(&str, &str, String), all: bool) -> Result<u64, StoreError> {
    let sql = "UPDATE runs SET pluginDigest = ?3
        WHERE tenant = ?1 AND plugin = ?2 AND state = 'queued' AND pluginDigest <> ?3 AND NOT EXISTS
            (SELECT 1 FROM tasks t WHERE t.tenant = runs.tenant AND t.id = runs.taskId AND t.pluginDigest IS NOT NULL)
            AND (?4 OR pluginDigest IN (SELECT digest FROM suspects
                WHERE tenant = ?1 AND plugin = ?2 AND quarantinedAt IS NOT NULL))";
    let moved = connection.prepare_cached(sql)?.execute(params![key.0, key.1, key.2, all])?;
    Ok(u64::try_from(moved).unwrap_or(u64::MAX))
}

/// Stores a version, and its plugin if that is new: without an active version, for now. Returns whether the version is new.
fn insert(
    connection: &Connection,
    tenant: &TenantId,
    version: &PluginVersion,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (digest, now) = (version.digest.to_string(), now.to_string());
    let key = (tenant.as_str(), version.name.as_str());
    let sql = "INSERT INTO plugins (tenant, name, activeDigest, createdAt, updatedAt, isStaged)
        VALUES (?1, ?2, ?3, ?4, ?4, 1) ON CONFLICT (tenant, name) DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![key.0, key.1, digest, now])?;
    let sql = "INSERT INTO plugin_versions (tenant, plugin, digest, imports, size, createdAt, component)
        VALUES (:tenant, :plugin, :digest, :imports, :size, :now, zeroblob(:size)) ON CONFLICT DO NOTHING";
    let inserted = connection.prepare_cached(sql)?.execute(named_params! {
        ":tenant": key.0,
        ":plugin": key.1,
        ":digest": digest,
        ":imports": to_json(&version.imports)?,
        ":size": version.component.size(),
        ":now": now,
    })?;
    if inserted == 1 {
        component::write(connection, &version.component)?;
    }
    // A version from before this was noted has it noted now, but for who uploaded it first.
    let uploaded_by = version.uploaded_by.as_deref().filter(|_| inserted == 1);
    let sql =
        "INSERT INTO version_facts (tenant, plugin, digest, handler, uploadedBy) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO NOTHING";
    let values = params![key.0, key.1, digest, version.handler, uploaded_by];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(inserted == 1)
}
