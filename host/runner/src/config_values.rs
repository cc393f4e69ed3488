//! Configuration and secrets, as clients set and see them.

use innkeeper_model::id::TenantId;
use innkeeper_model::key_value::{check_config_key, check_config_value};
use innkeeper_model::problem::FieldError;
use innkeeper_store::{ConfigEntry, Store, StoredConfig};

use crate::error::RunnerError;
use crate::secret_key::SecretKey;
use crate::task_runner::TaskRunner;

impl TaskRunner {
    /// Entries that come after `after`, by key, at most `limit`. The text of a secret is not among what they hold.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn config_entries(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ConfigEntry>, RunnerError> {
        Ok(self.0.store.config_entries(tenant, after, limit).await?)
    }

    /// The entry under `key`.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none.
    pub async fn config_entry(&self, tenant: &TenantId, key: &str) -> Result<ConfigEntry, RunnerError> {
        let entry = self.0.store.config_entry(tenant, key).await?;
        entry.ok_or_else(|| RunnerError::not_found("configuration key", &key))
    }

    /// Sets a value, for executions that ask for it from now on. A secret is encrypted before it is stored, and can then be
    /// read by granted plugins only. Returns the entry, and whether its key is new.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] if the key or the value is not valid, or if the host has no key to encrypt with;
    /// [`RunnerError::QuotaExceeded`] if the tenant may not store so much.
    pub async fn set_config(
        &self,
        tenant: &TenantId,
        key: &str,
        value: String,
        is_secret: bool,
    ) -> Result<(ConfigEntry, bool), RunnerError> {
        self.refuse_when_stopping()?;
        let problems = problems(key, &value, is_secret);
        if !problems.is_empty() {
            return Err(RunnerError::Invalid(problems));
        }
        let stored = if is_secret {
            let secret_key = self.0.config.secret_key.as_ref();
            let secret_key = secret_key.ok_or_else(|| RunnerError::Invalid(vec![no_key()]))?;
            StoredConfig::Secret(secret_key.seal(tenant, key, &value))
        } else {
            StoredConfig::Plain(value.clone())
        };
        let bytes = u64::try_from(key.len() + value.len()).unwrap_or(u64::MAX);
        self.admit_stored_bytes(tenant, bytes).await?;
        let now = self.now();
        let is_new = self.0.store.put_config(tenant, key, stored, now).await?;
        self.note_stored_bytes(tenant, bytes);
        tracing::info!(%tenant, key, is_secret, is_new, "config.set");
        let value = (!is_secret).then_some(value);
        Ok((ConfigEntry { key: key.to_owned(), value, updated_at: now }, is_new))
    }

    /// Deletes a value.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is none.
    pub async fn delete_config(&self, tenant: &TenantId, key: &str) -> Result<(), RunnerError> {
        if !self.0.store.delete_config(tenant, key).await? {
            return Err(RunnerError::not_found("configuration key", &key));
        }
        tracing::info!(%tenant, key, "config.deleted");
        Ok(())
    }
}

/// Everything that is wrong with a key and a value.
pub(crate) fn problems(key: &str, value: &str, is_secret: bool) -> Vec<FieldError> {
    let key = check_config_key(key).map_err(|error| FieldError::new("key", "invalid_key", error.to_string()));
    let value = check_config_value(value, is_secret)
        .map_err(|error| FieldError::new("value", "invalid_value", error.to_string()));
    [key.err(), value.err()].into_iter().flatten().collect()
}

/// The problem of a secret on a host that has no key.
pub(crate) fn no_key() -> FieldError {
    let message =
        "needs a key to be encrypted with, and the host was started without one: set INNKEEPER_SECRET_KEY";
    FieldError::new("secret", "no_secret_key", message.to_owned())
}

/// Refuses a key that does not fit the secrets that are stored. Without a key the host starts: who asks for a secret is told.
pub(crate) async fn check_secret_key(store: &Store, key: Option<&SecretKey>) -> Result<(), RunnerError> {
    let Some(key) = key else { return Ok(()) };
    match store.some_secret().await? {
        Some(secret) => {
            let opened = key.open(&secret.tenant, &secret.key, &secret.ciphertext);
            opened.map(drop).map_err(|_| RunnerError::WrongSecretKey)
        }
        None => Ok(()),
    }
}
