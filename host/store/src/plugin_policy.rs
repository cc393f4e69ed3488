//! What a plugin may use and reach: columns of `plugins`, which its versions share.

use innkeeper_model::grants::Grants;
use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_model::limits::LimitWishes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::value::{Columns as _, to_json};
use crate::{Store, StoreError};

/// What a plugin may use and reach, whatever its version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginPolicy {
    /// Limits of every execution of it.
    pub limits: LimitWishes,
    /// Its executions at once, of all its tasks and versions together; `None` is as many as its tenant may have.
    pub concurrency: Option<u32>,
    /// What its executions may reach.
    pub grants: Grants,
}

impl Store {
    /// Every policy of every tenant that is not the empty one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plugin_policies(&self) -> Result<Vec<(TenantId, PluginName, PluginPolicy)>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT tenant, name, limits, concurrency, grants FROM plugins
                WHERE limits IS NOT NULL OR concurrency IS NOT NULL OR grants IS NOT NULL";
            let mut statement = connection.prepare(sql)?;
            let policies = statement
                .query_map([], |row| Ok((row.parsed("tenant")?, row.parsed("name")?, read(row)?)))?;
            Ok(policies.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The policy of a plugin; `None` if it does not exist.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plugin_policy(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
    ) -> Result<Option<PluginPolicy>, StoreError> {
        let key = (tenant.clone(), plugin.clone());
        self.read(move |connection| find(connection, &key.0, &key.1)).await
    }

    /// Replaces the policy of a plugin; `false` if it does not exist.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn set_plugin_policy(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
        policy: PluginPolicy,
    ) -> Result<bool, StoreError> {
        let key = (tenant.clone(), plugin.clone());
        self.write(move |connection| set(connection, &key.0, &key.1, &policy)).await
    }
}

/// The policy of a plugin; `None` if it does not exist.
pub(crate) fn find(
    connection: &Connection,
    tenant: &TenantId,
    plugin: &PluginName,
) -> Result<Option<PluginPolicy>, StoreError> {
    let sql = "SELECT limits, concurrency, grants FROM plugins WHERE tenant = ?1 AND name = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([tenant.as_str(), plugin.as_str()], read).optional()?)
}

/// Replaces the policy of a plugin; `false` if it does not exist.
pub(crate) fn set(
    connection: &Connection,
    tenant: &TenantId,
    plugin: &PluginName,
    policy: &PluginPolicy,
) -> Result<bool, StoreError> {
    let limits = (policy.limits != LimitWishes::default()).then(|| to_json(&policy.limits));
    let grants = (!policy.grants.is_empty()).then(|| to_json(&policy.grants));
    let sql = "UPDATE plugins SET limits = ?3, grants = ?4, concurrency = ?5 WHERE tenant = ?1 AND name = ?2";
    let (limits, grants) = (limits.transpose()?, grants.transpose()?);
    let values = params![tenant.as_str(), plugin.as_str(), limits, grants, policy.concurrency];
    Ok(connection.prepare_cached(sql)?.execute(values)? == 1)
}

fn read(row: &Row<'_>) -> rusqlite::Result<PluginPolicy> {
    Ok(PluginPolicy {
        limits: row.json("limits")?.unwrap_or_default(),
        concurrency: row.plain("concurrency")?,
        grants: row.json("grants")?.unwrap_or_default(),
    })
}
