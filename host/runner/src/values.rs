//! The key-value store, as clients see and change it.

use innkeeper_model::id::TenantId;
use innkeeper_model::key_value::{InvalidEntry, check_bucket, check_key, check_value};
use innkeeper_model::problem::FieldError;
use innkeeper_store::{BucketSize, Condition, KeySize, Written};

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

impl TaskRunner {
    /// The tenant's buckets that hold something, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn buckets(&self, tenant: &TenantId) -> Result<Vec<BucketSize>, RunnerError> {
        Ok(self.0.store.buckets(tenant).await?)
    }

    /// Keys of a bucket that begin with `prefix` and come after `after`, in order, at most `limit`. A bucket that holds
    /// nothing has none.
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
    ) -> Result<Vec<KeySize>, RunnerError> {
        Ok(self.0.store.key_sizes(tenant, bucket, prefix, after, limit).await?)
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none.
    pub async fn value(&self, tenant: &TenantId, bucket: &str, key: &str) -> Result<Vec<u8>, RunnerError> {
        let value = self.0.store.value(tenant, bucket, key).await?;
        value.ok_or_else(|| not_found(bucket, key))
    }

    /// Sets a value if `condition` holds. Returns whether the key is new.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] if bucket, key or value are not valid; [`RunnerError::PreconditionFailed`] if the condition
    /// does not hold; [`RunnerError::QuotaExceeded`] if the tenant may store no more.
    pub async fn set_value(
        &self,
        tenant: &TenantId,
        bucket: &str,
        key: &str,
        value: Vec<u8>,
        condition: Condition,
    ) -> Result<bool, RunnerError> {
        self.refuse_when_stopping()?;
        check(bucket, key, &value)?;
        let bytes = value.len();
        // A value that is replaced counts as free when the rows are counted again.
        let stored = u64::try_from(key.len() + bytes).unwrap_or(u64::MAX);
        self.admit_stored_bytes(tenant, stored).await?;
        match self.0.store.write_value(tenant, bucket, key, Some(value), condition).await? {
            Written::Refused => Err(changed(bucket, key)),
            written => {
                self.note_stored_bytes(tenant, stored);
                tracing::info!(%tenant, bucket, key, bytes, "key_value.set");
                Ok(written == Written::New)
            }
        }
    }

    /// Deletes a key if `condition` holds.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none; [`RunnerError::PreconditionFailed`] if the condition does not hold.
    pub async fn delete_value(
        &self,
        tenant: &TenantId,
        bucket: &str,
        key: &str,
        condition: Condition,
    ) -> Result<(), RunnerError> {
        self.refuse_when_stopping()?;
        match self.0.store.write_value(tenant, bucket, key, None, condition).await? {
            Written::Refused => Err(changed(bucket, key)),
            Written::New => Err(not_found(bucket, key)),
            Written::Changed => {
                tracing::info!(%tenant, bucket, key, "key_value.deleted");
                Ok(())
            }
        }
    }
}

fn check(bucket: &str, key: &str, value: &[u8]) -> Result<(), RunnerError> {
    let problem = |field: &str, checked: Result<(), InvalidEntry>| {
        checked.err().map(|error| FieldError::new(field, &format!("invalid_{field}"), error.to_string()))
    };
    let problems: Vec<_> = [
        problem("bucket", check_bucket(bucket)),
        problem("key", check_key(key)),
        problem("value", check_value(value)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if problems.is_empty() { Ok(()) } else { Err(RunnerError::Invalid(problems)) }
}

fn not_found(bucket: &str, key: &str) -> RunnerError {
    RunnerError::not_found("key", &format!("{key}` in the bucket `{bucket}"))
}

fn changed(bucket: &str, key: &str) -> RunnerError {
    RunnerError::PreconditionFailed(format!(
        "the key `{key}` in the bucket `{bucket}` is not as the request's condition says; nothing was changed"
    ))
}
