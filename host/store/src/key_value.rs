//! The table `kv`: what handlers keep.

use innkeeper_model::id::TenantId;
use innkeeper_model::sandbox::KeyValueWrite;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{Store, StoreError};

impl Store {
    /// The value under `key` in the tenant's bucket, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn value(
        &self,
        tenant: &TenantId,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let (tenant, bucket, key) = (tenant.clone(), bucket.to_owned(), key.to_owned());
        self.read(move |connection| {
            let sql = "SELECT value FROM kv WHERE tenant = ?1 AND bucket = ?2 AND key = ?3";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row((tenant.as_str(), bucket, key), |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Keys of the tenant's bucket that come after `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keys(
        &self,
        tenant: &TenantId,
        bucket: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let (tenant, bucket, after) = (tenant.clone(), bucket.to_owned(), after.map(str::to_owned));
        self.read(move |connection| {
            let sql = "SELECT key FROM kv WHERE tenant = ?1 AND bucket = ?2 AND (?3 IS NULL OR key > ?3)
                ORDER BY key LIMIT ?4";
            let mut statement = connection.prepare_cached(sql)?;
            let keys =
                statement.query_map(params![tenant.as_str(), bucket, after, limit], |row| row.get(0))?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// Applies one write.
pub(crate) fn write(
    connection: &Connection,
    tenant: &TenantId,
    write: &KeyValueWrite,
) -> Result<(), StoreError> {
    let key = (tenant.as_str(), &write.bucket, &write.key);
    let Some(value) = &write.value else {
        let sql = "DELETE FROM kv WHERE tenant = ?1 AND bucket = ?2 AND key = ?3";
        connection.prepare_cached(sql)?.execute(key)?;
        return Ok(());
    };
    let sql = "INSERT INTO kv (tenant, bucket, key, value) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (tenant, bucket, key) DO UPDATE SET value = ?4";
    connection.prepare_cached(sql)?.execute(params![key.0, key.1, key.2, value])?;
    Ok(())
}
