//! The table `config`: configuration and secrets. What is a secret comes in and goes out encrypted.

use innkeeper_model::id::TenantId;
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// A configured value as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredConfig {
    /// Plain text.
    Plain(String),
    /// A secret's ciphertext.
    Secret(Vec<u8>),
}

/// A configured value as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its key.
    pub key: String,
    /// Its text; `None` for a secret.
    pub value: Option<String>,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// A secret, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// The tenant.
    pub tenant: TenantId,
    /// The key.
    pub key: String,
    /// The ciphertext.
    pub ciphertext: Vec<u8>,
}

impl Store {
    /// The value under `key`, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn config_value(
        &self,
        tenant: &TenantId,
        key: &str,
    ) -> Result<Option<StoredConfig>, StoreError> {
        let (tenant, key) = (tenant.clone(), key.to_owned());
        self.read(move |connection| value(connection, &tenant, &key)).await
    }

    /// The entry under `key`, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn config_entry(
        &self,
        tenant: &TenantId,
        key: &str,
    ) -> Result<Option<ConfigEntry>, StoreError> {
        let (tenant, key) = (tenant.clone(), key.to_owned());
        self.read(move |connection| {
            let sql = "SELECT key, value, updatedAt FROM config WHERE tenant = ?1 AND key = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([tenant.as_str(), &key], read).optional()?)
        })
        .await
    }

    /// Entries that come after `after`, by key, at most `limit`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn config_entries(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ConfigEntry>, StoreError> {
        let (tenant, after) = (tenant.clone(), after.map(str::to_owned));
        self.read(move |connection| {
            let sql = "SELECT key, value, updatedAt FROM config
                WHERE tenant = ?1 AND (?2 IS NULL OR key > ?2) ORDER BY key LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let entries = statement.query_map(params![tenant.as_str(), after, limit], read)?;
            Ok(entries.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Sets a value. Returns whether the key is new.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn put_config(
        &self,
        tenant: &TenantId,
        key: &str,
        value: StoredConfig,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (tenant, key) = (tenant.clone(), key.to_owned());
        self.write(move |connection| put(connection, &tenant, &key, value, now)).await
    }

    /// Deletes a value. `false` if there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn delete_config(&self, tenant: &TenantId, key: &str) -> Result<bool, StoreError> {
        let (tenant, key) = (tenant.clone(), key.to_owned());
        self.write(move |connection| delete(connection, &tenant, &key)).await
    }

    /// Some secret, of whatever tenant, to try a key on; `None` if there are none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn some_secret(&self) -> Result<Option<StoredSecret>, StoreError> {
        self.read(some_secret).await
    }
}

pub(crate) fn some_secret(connection: &Connection) -> Result<Option<StoredSecret>, StoreError> {
    let sql = "SELECT tenant, key, ciphertext FROM config WHERE isSecret ORDER BY tenant, key LIMIT 1";
    let found = connection.query_row(sql, [], |row| {
        Ok(StoredSecret {
            tenant: row.parsed("tenant")?,
            key: row.plain("key")?,
            ciphertext: row.plain("ciphertext")?,
        })
    });
    Ok(found.optional()?)
}

/// The value under `key`, or `None`.
pub(crate) fn value(
    connection: &Connection,
    tenant: &TenantId,
    key: &str,
) -> Result<Option<StoredConfig>, StoreError> {
    let sql = "SELECT value, ciphertext FROM config WHERE tenant = ?1 AND key = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([tenant.as_str(), key], |row| {
        Ok(match row.plain::<Option<String>>("value")? {
            Some(text) => StoredConfig::Plain(text),
            None => StoredConfig::Secret(row.plain("ciphertext")?),
        })
    });
    Ok(found.optional()?)
}

/// Sets a value. Returns whether the key is new.
pub(crate) fn put(
    connection: &Connection,
    tenant: &TenantId,
    key: &str,
    value: StoredConfig,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM config WHERE tenant = ?1 AND key = ?2";
    let is_new = !connection.prepare_cached(sql)?.exists([tenant.as_str(), key])?;
    let (text, ciphertext) = match value {
        StoredConfig::Plain(text) => (Some(text), None),
        StoredConfig::Secret(ciphertext) => (None, Some(ciphertext)),
    };
    let sql = "INSERT INTO config (tenant, key, isSecret, value, ciphertext, updatedAt)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (tenant, key) DO UPDATE SET isSecret = ?3, value = ?4, ciphertext = ?5, updatedAt = ?6";
    let values = params![tenant.as_str(), key, ciphertext.is_some(), text, ciphertext, now.to_string()];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(is_new)
}

/// Deletes a value. `false` if there is none.
pub(crate) fn delete(connection: &Connection, tenant: &TenantId, key: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM config WHERE tenant = ?1 AND key = ?2";
    Ok(connection.prepare_cached(sql)?.execute([tenant.as_str(), key])? == 1)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ConfigEntry> {
    Ok(ConfigEntry {
        key: row.plain("key")?,
        value: row.plain("value")?,
        updated_at: row.parsed("updatedAt")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Durability, Location};

    #[tokio::test]
    async fn tenants_share_a_key_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("innkeeper.db");
        let store = Store::open(&Location::File(path.clone()), Durability::Full).expect("a store");
        let sql = "INSERT INTO tenants (id, createdAt) VALUES ('acme', '1970-01-01T00:00:00.000Z')";
        Connection::open(&path).expect("the file").execute(sql, []).expect("a second tenant");
        let (ours, theirs): (TenantId, TenantId) =
            (TenantId::default_tenant(), "acme".parse().expect("an id"));
        let now = Timestamp::from_millis(5);
        let secret = StoredConfig::Secret(vec![1, 2]);
        assert!(store.put_config(&ours, "key", StoredConfig::Plain("a".into()), now).await.expect("new"));
        assert!(
            !store.put_config(&ours, "key", StoredConfig::Plain("b".into()), now).await.expect("not new")
        );
        assert!(store.put_config(&theirs, "key", secret.clone(), now).await.expect("new"));
        let value = async |tenant| store.config_value(tenant, "key").await.expect("a read");
        assert_eq!(value(&ours).await, Some(StoredConfig::Plain("b".into())));
        assert_eq!(value(&theirs).await, Some(secret));
        assert_eq!(store.config_entries(&theirs, None, 9).await.expect("a list")[0].value, None);
        assert_eq!(
            store.some_secret().await.expect("a read").map(|secret| secret.tenant),
            Some(theirs.clone())
        );
        assert!(store.delete_config(&theirs, "key").await.expect("deleted"));
        assert!(!store.delete_config(&theirs, "key").await.expect("gone"));
        assert_eq!(store.some_secret().await.expect("a read"), None);
        assert!(value(&ours).await.is_some());
    }
}
