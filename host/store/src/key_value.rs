//! The table `kv`: what handlers keep.

use innkeeper_model::id::{Digest, TenantId};
use innkeeper_model::key_value::add;
use innkeeper_model::sandbox::{Expected, KeyValueChange, KeyValueWrite};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// A bucket that holds something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketSize {
    /// Its name.
    pub bucket: String,
    /// How many keys it has.
    pub keys: u64,
    /// Bytes of its keys and values.
    pub bytes: u64,
}

/// A key as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeySize {
    /// The key.
    pub key: String,
    /// Bytes of its value.
    pub size: u64,
}

/// What must hold of a key for a client's write to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// It is not there.
    Absent,
    /// It is there.
    Present,
    /// Its value has this digest.
    Digest(Digest),
}

/// What came of a client's write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is done; there was no such key before.
    New,
    /// It is done; there was such a key before.
    Changed,
    /// It is not done: the condition does not hold.
    Refused,
}

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
        self.read(move |connection| value(connection, &tenant, &bucket, &key)).await
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
        let keys = self.key_sizes(tenant, bucket, "", after, limit).await?;
        Ok(keys.into_iter().map(|key| key.key).collect())
    }

    /// As [`Store::keys`], of those that begin with `prefix`, each with the size of its value.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn key_sizes(
        &self,
        tenant: &TenantId,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<KeySize>, StoreError> {
        let (tenant, bucket) = (tenant.clone(), bucket.to_owned());
        let (prefix, after) = (prefix.to_owned(), after.unwrap_or_default().to_owned());
        self.read(move |connection| {
            // No byte of UTF-8 is as great as F5, so the bound is right behind everything that begins with the prefix. A
            // key is never empty, so all come after "".
            let sql = "SELECT key, length(value) AS size FROM kv WHERE tenant = ?1 AND bucket = ?2
                AND key >= ?3 AND key < ?3 || CAST(X'F5' AS TEXT) AND key > ?4 ORDER BY key LIMIT ?5";
            let mut statement = connection.prepare_cached(sql)?;
            let keys = statement
                .query_map(params![tenant.as_str(), bucket, prefix, after, limit], |row| {
                    Ok(KeySize { key: row.plain("key")?, size: row.plain("size")? })
                })?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The tenant's buckets that hold something, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn buckets(&self, tenant: &TenantId) -> Result<Vec<BucketSize>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |connection| {
            let sql = "SELECT bucket, count(*) AS keys, sum(octet_length(key) + length(value)) AS bytes
                FROM kv WHERE tenant = ?1 GROUP BY bucket ORDER BY bucket";
            let mut statement = connection.prepare_cached(sql)?;
            let buckets = statement.query_map([tenant.as_str()], |row| {
                Ok(BucketSize {
                    bucket: row.plain("bucket")?,
                    keys: row.plain("keys")?,
                    bytes: row.plain("bytes")?,
                })
            })?;
            Ok(buckets.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Sets or, with `None`, deletes a value if `condition` holds.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn write_value(
        &self,
        tenant: &TenantId,
        bucket: &str,
        key: &str,
        new: Option<Vec<u8>>,
        condition: Condition,
    ) -> Result<Written, StoreError> {
        let (tenant, bucket, key) = (tenant.clone(), bucket.to_owned(), key.to_owned());
        self.write(move |connection| {
            let old = value(connection, &tenant, &bucket, &key)?;
            let holds = match condition {
                Condition::Always => true,
                Condition::Absent => old.is_none(),
                Condition::Present => old.is_some(),
                Condition::Digest(digest) => old.as_deref().map(Digest::of) == Some(digest),
            };
            if !holds {
                return Ok(Written::Refused);
            }
            put(connection, &tenant, &bucket, &key, new.as_deref())?;
            Ok(if old.is_some() { Written::Changed } else { Written::New })
        })
        .await
    }
}

/// Applies an execution's writes. If one of them met something else than it relied on, it says which; then the caller takes
/// back what was applied.
pub(crate) fn apply(
    connection: &Connection,
    tenant: &TenantId,
    writes: &[KeyValueWrite],
) -> Result<Option<String>, StoreError> {
    for write in writes {
        let (bucket, key) = (write.bucket.as_str(), write.key.as_str());
        if let Expected::Value(expected) = &write.expected
            && value(connection, tenant, bucket, key)? != *expected
        {
            return Ok(Some(format!(
                "the key {key:?} in the bucket `{bucket}` changed after the handler had compared it"
            )));
        }
        match &write.change {
            KeyValueChange::Set(value) => put(connection, tenant, bucket, key, Some(value))?,
            KeyValueChange::Delete => put(connection, tenant, bucket, key, None)?,
            KeyValueChange::Add(delta) => {
                match add(value(connection, tenant, bucket, key)?.as_deref(), *delta) {
                    Ok(sum) => put(connection, tenant, bucket, key, Some(sum.to_string().as_bytes()))?,
                    Err(error) => {
                        return Ok(Some(format!(
                            "the key {key:?} in the bucket `{bucket}` changed after the handler had increased it: {error}"
                        )));
                    }
                }
            }
        }
    }
    Ok(None)
}

fn value(
    connection: &Connection,
    tenant: &TenantId,
    bucket: &str,
    key: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT value FROM kv WHERE tenant = ?1 AND bucket = ?2 AND key = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row((tenant.as_str(), bucket, key), |row| row.get(0)).optional()?)
}

fn put(
    connection: &Connection,
    tenant: &TenantId,
    bucket: &str,
    key: &str,
    value: Option<&[u8]>,
) -> Result<(), StoreError> {
    let place = (tenant.as_str(), bucket, key);
    let Some(value) = value else {
        let sql = "DELETE FROM kv WHERE tenant = ?1 AND bucket = ?2 AND key = ?3";
        connection.prepare_cached(sql)?.execute(place)?;
        return Ok(());
    };
    let sql = "INSERT INTO kv (tenant, bucket, key, value) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (tenant, bucket, key) DO UPDATE SET value = ?4";
    connection.prepare_cached(sql)?.execute(params![place.0, place.1, place.2, value])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Durability, Location};

    fn store() -> Store {
        Store::open(&Location::Memory, Durability::Full).expect("a store")
    }

    fn write_of(key: &str, change: KeyValueChange, expected: Expected) -> KeyValueWrite {
        KeyValueWrite { bucket: "b".to_owned(), key: key.to_owned(), change, expected }
    }

    #[tokio::test]
    async fn what_a_write_relies_on_is_checked_as_it_is_applied() {
        let store = store();
        let tenant = TenantId::default_tenant();
        let apply = async |writes: Vec<KeyValueWrite>| {
            let tenant = tenant.clone();
            store.write(move |connection| apply(connection, &tenant, &writes)).await.expect("a write")
        };
        let value = async |key: &str| store.value(&tenant, "b", key).await.expect("a read");
        let set = |text: &str| KeyValueChange::Set(text.into());
        assert_eq!(apply(vec![write_of("a", set("1"), Expected::Value(None))]).await, None);
        let stale = apply(vec![write_of("a", set("2"), Expected::Value(None))]).await;
        assert!(stale.is_some_and(|text| text.contains("\"a\"") && text.contains("`b`")));
        assert_eq!(apply(vec![write_of("a", KeyValueChange::Add(41), Expected::Anything)]).await, None);
        assert_eq!(value("a").await, Some(b"42".to_vec()));
        assert_eq!(apply(vec![write_of("n", KeyValueChange::Add(-1), Expected::Anything)]).await, None);
        assert_eq!(value("n").await, Some(b"-1".to_vec()));
        let seen = Expected::Value(Some(b"42".to_vec()));
        assert_eq!(apply(vec![write_of("a", set("text"), seen)]).await, None);
        assert!(apply(vec![write_of("a", KeyValueChange::Add(1), Expected::Anything)]).await.is_some());
        assert_eq!(apply(vec![write_of("a", KeyValueChange::Delete, Expected::Anything)]).await, None);
        assert_eq!(value("a").await, None);
    }

    #[tokio::test]
    async fn keys_are_listed_in_order_within_a_prefix() {
        let store = store();
        let tenant = TenantId::default_tenant();
        for key in ["b", "a:2", "a:1", "a", "a:\u{10ffff}", "a;"] {
            let written = store.write_value(&tenant, "x", key, Some(key.into()), Condition::Always).await;
            assert_eq!(written.expect("a write"), Written::New);
        }
        let list = async |prefix: &str, after: Option<&str>, limit| {
            let found = store.key_sizes(&tenant, "x", prefix, after, limit).await.expect("a list");
            found.into_iter().map(|key| key.key).collect::<Vec<_>>()
        };
        assert_eq!(list("", None, 9).await, ["a", "a:1", "a:2", "a:\u{10ffff}", "a;", "b"]);
        assert_eq!(list("a:", None, 9).await, ["a:1", "a:2", "a:\u{10ffff}"]);
        assert_eq!(list("a:", Some("a:1"), 1).await, ["a:2"]);
        let buckets = store.buckets(&tenant).await.expect("a list");
        assert_eq!(
            buckets,
            [BucketSize { bucket: "x".to_owned(), keys: 6, bytes: 2 * (1 + 3 + 3 + 1 + 6 + 2) }]
        );
    }

    #[tokio::test]
    async fn two_tenants_share_bucket_and_key_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("innkeeper.db");
        let store = Store::open(&Location::File(path.clone()), Durability::Full).expect("a store");
        let sql = "INSERT INTO tenants (id, createdAt) VALUES ('acme', '1970-01-01T00:00:00.000Z')";
        Connection::open(&path).expect("the file").execute(sql, []).expect("a second tenant");
        let (ours, theirs): (TenantId, TenantId) =
            (TenantId::default_tenant(), "acme".parse().expect("an id"));
        let set = async |tenant, value: Option<&str>, condition| {
            let value = value.map(|text| text.as_bytes().to_vec());
            store.write_value(tenant, "b", "k", value, condition).await.expect("a write")
        };
        let get = async |tenant| store.value(tenant, "b", "k").await.expect("a read");
        assert_eq!(set(&ours, Some("1"), Condition::Always).await, Written::New);
        assert_eq!(get(&theirs).await, None);
        assert_eq!(set(&theirs, Some("2"), Condition::Absent).await, Written::New);
        assert_eq!((get(&ours).await, get(&theirs).await), (Some(b"1".to_vec()), Some(b"2".to_vec())));
        assert_eq!(set(&ours, None, Condition::Always).await, Written::Changed);
        assert_eq!((get(&ours).await, get(&theirs).await), (None, Some(b"2".to_vec())));
        assert!(store.buckets(&ours).await.expect("a list").is_empty());
        assert_eq!(store.keys(&theirs, "b", None, 9).await.expect("a list"), ["k"]);
    }

    #[tokio::test]
    async fn a_condition_is_for_clients_that_compare() {
        let store = store();
        let tenant = TenantId::default_tenant();
        let write = async |value: Option<&str>, condition| {
            let value = value.map(|text| text.as_bytes().to_vec());
            store.write_value(&tenant, "x", "k", value, condition).await.expect("a write")
        };
        assert_eq!(write(Some("1"), Condition::Present).await, Written::Refused);
        assert_eq!(write(Some("1"), Condition::Absent).await, Written::New);
        assert_eq!(write(Some("2"), Condition::Absent).await, Written::Refused);
        assert_eq!(write(Some("2"), Condition::Digest(Digest::of(b"1"))).await, Written::Changed);
        assert_eq!(write(None, Condition::Digest(Digest::of(b"1"))).await, Written::Refused);
        assert_eq!(write(None, Condition::Present).await, Written::Changed);
        assert_eq!(write(None, Condition::Always).await, Written::New);
    }
}
