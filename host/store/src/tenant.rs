//! The table `tenants`.

use innkeeper_model::id::{ExecutionId, TaskId, TenantId};
use innkeeper_model::limits::LimitWishes;
use innkeeper_model::quota::QuotaWishes;
use innkeeper_model::tenant::{Tenant, TenantSettings, TenantStatus};
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::value::{Columns as _, to_json};
use crate::{Store, StoreError};

/// What a tenant has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantUsage {
    /// Tasks.
    pub tasks: u64,
    /// Plugins.
    pub plugins: u64,
    /// Bytes of components, key-value data, event data, and of what failed manual starts were given.
    pub stored_bytes: u64,
}

impl Store {
    /// Every tenant, by id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT * FROM tenants ORDER BY id")?;
            Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Adds a tenant. `false` if there is one of this name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn create_tenant(&self, tenant: Tenant) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let sql = "INSERT INTO tenants (id, createdAt, status, weight, timezone, limits, quotas)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
            let (limits, quotas) = stored(&tenant.settings)?;
            let values = params![
                tenant.id.as_str(),
                tenant.created_at.to_string(),
                tenant.status.as_str(),
                tenant.settings.weight,
                tenant.settings.timezone,
                limits,
                quotas,
            ];
            Ok(connection.prepare_cached(sql)?.execute(values)? == 1)
        })
        .await
    }

    /// Replaces what is set for a tenant. `false` if there is none of this name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn set_tenant(&self, id: &TenantId, settings: TenantSettings) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |connection| {
            let sql = "UPDATE tenants SET weight = ?2, timezone = ?3, limits = ?4, quotas = ?5 WHERE id = ?1";
            let (limits, quotas) = stored(&settings)?;
            let values = params![id.as_str(), settings.weight, settings.timezone, limits, quotas];
            Ok(connection.prepare_cached(sql)?.execute(values)? == 1)
        })
        .await
    }

    /// Moves a tenant on to another status. One that is being deleted stays so; `false` if it is, or if there is none of
    /// this name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn set_tenant_status(&self, id: &TenantId, status: TenantStatus) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |connection| {
            let sql = "UPDATE tenants SET status = ?2 WHERE id = ?1 AND status <> 'deleting'";
            Ok(connection.prepare_cached(sql)?.execute((id.as_str(), status.as_str()))? == 1)
        })
        .await
    }

    /// Takes the due times of the first `limit` tasks of a tenant after `after` out of the schedule, to be kept until they
    /// are put back. Returns the last of these tasks; `None` once there are no more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn hold_schedules(
        &self,
        id: &TenantId,
        after: Option<TaskId>,
        limit: u32,
    ) -> Result<Option<TaskId>, StoreError> {
        let id = id.clone();
        self.write(move |connection| hold(connection, &id, after.as_ref(), limit)).await
    }

    /// Puts back the due times of at most `limit` tasks that were held. Returns of how many; 0 once none is left.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn release_schedules(&self, id: &TenantId, limit: u32) -> Result<usize, StoreError> {
        let id = id.clone();
        self.write(move |connection| {
            let sql = "UPDATE tasks SET nextRunAt = coalesce(nextRunAt, heldRunAt), heldRunAt = NULL
                WHERE tenant = ?1 AND id IN (SELECT id FROM tasks INDEXED BY tasks_held
                    WHERE tenant = ?1 AND heldRunAt IS NOT NULL LIMIT ?2)";
            Ok(connection.prepare_cached(sql)?.execute((id.as_str(), limit))?)
        })
        .await
    }

    /// What a tenant has stored, counted.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tenant_usage(&self, id: &TenantId) -> Result<TenantUsage, StoreError> {
        let id = id.clone();
        self.read(move |connection| usage(connection, &id)).await
    }

    /// The executions of a tenant that run.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn running_executions(&self, id: &TenantId) -> Result<Vec<ExecutionId>, StoreError> {
        let id = id.clone();
        self.read(move |connection| {
            let sql = "SELECT executionId FROM runs INDEXED BY runs_started
                WHERE tenant = ?1 AND firstStartedAt IS NOT NULL AND state = 'running'";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement
                .query_map([id.as_str()], |row| row.parsed("executionId"))?
                .collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn hold(
    connection: &Connection,
    id: &TenantId,
    after: Option<&TaskId>,
    limit: u32,
) -> Result<Option<TaskId>, StoreError> {
    let after = after.map_or("", TaskId::as_str);
    let sql = "SELECT max(id) AS last FROM
        (SELECT id FROM tasks WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3)";
    let last: Option<TaskId> = connection
        .prepare_cached(sql)?
        .query_row(params![id.as_str(), after, limit], |row| row.parsed_option("last"))?;
    let Some(last) = last else { return Ok(None) };
    let sql = "UPDATE tasks SET heldRunAt = nextRunAt, nextRunAt = NULL
        WHERE tenant = ?1 AND id > ?2 AND id <= ?3 AND nextRunAt IS NOT NULL AND isPaused = 0";
    connection.prepare_cached(sql)?.execute([id.as_str(), after, last.as_str()])?;
    Ok(Some(last))
}

fn usage(connection: &Connection, id: &TenantId) -> Result<TenantUsage, StoreError> {
    let count = |sql: &str| -> Result<u64, StoreError> {
        Ok(connection.prepare_cached(sql)?.query_row([id.as_str()], |row| row.get(0))?)
    };
    let components = count("SELECT coalesce(sum(size), 0) FROM plugin_versions WHERE tenant = ?1")?;
    let kept = count(
        "SELECT coalesce(sum(length(CAST(key AS BLOB)) + length(value)), 0) FROM kv WHERE tenant = ?1",
    )?;
    let events = count("SELECT coalesce(sum(length(CAST(data AS BLOB))), 0) FROM events WHERE tenant = ?1")?;
    let dead = count(
        "SELECT coalesce(sum(coalesce(length(CAST(event AS BLOB)), 0) + coalesce(length(CAST(data AS BLOB)), 0)), 0)
            FROM dead_runs WHERE tenant = ?1",
    )?;
    let waiting = count(
        "SELECT coalesce(sum(coalesce(length(CAST(event AS BLOB)), 0) + coalesce(length(CAST(data AS BLOB)), 0)), 0)
            FROM runs WHERE tenant = ?1 AND eventId IS NULL",
    )?;
    let config = count(
        "SELECT coalesce(sum(length(CAST(key AS BLOB)) + coalesce(length(CAST(value AS BLOB)), length(ciphertext))), 0)
            FROM config WHERE tenant = ?1",
    )?;
    let metadata =
        count("SELECT coalesce(sum(length(CAST(metadata AS BLOB))), 0) FROM tasks WHERE tenant = ?1")?;
    let all = [components, kept, events, dead, waiting, config, metadata];
    Ok(TenantUsage {
        tasks: count("SELECT count(*) FROM tasks WHERE tenant = ?1")?,
        plugins: count("SELECT count(*) FROM plugins WHERE tenant = ?1")?,
        stored_bytes: all.into_iter().fold(0, u64::saturating_add),
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Tenant> {
    Ok(Tenant {
        id: row.parsed("id")?,
        status: row.parsed("status")?,
        created_at: row.parsed("createdAt")?,
        settings: TenantSettings {
            weight: row.plain("weight")?,
            timezone: row.plain("timezone")?,
            limits: row.json("limits")?.unwrap_or_default(),
            quotas: row.json("quotas")?.unwrap_or_default(),
        },
    })
}

/// Limits and quotas as they are stored.
fn stored(settings: &TenantSettings) -> rusqlite::Result<(Option<String>, Option<String>)> {
    let limits = (settings.limits != LimitWishes::default()).then(|| to_json(&settings.limits));
    let quotas = (settings.quotas != QuotaWishes::default()).then(|| to_json(&settings.quotas));
    Ok((limits.transpose()?, quotas.transpose()?))
}

/// The tenant of a host that serves only one is part of every database.
pub(crate) fn ensure_default(connection: &Connection) -> Result<(), StoreError> {
    let epoch = Timestamp::default().to_string();
    let sql = "INSERT INTO tenants (id, createdAt) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection.execute(sql, params![TenantId::default_tenant().as_str(), epoch])?;
    Ok(())
}

/// Whether there is a tenant of this name.
pub(crate) fn find(connection: &Connection, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT * FROM tenants WHERE id = ?1")?;
    Ok(statement.query_row([id.as_str()], read).optional()?)
}
