//! The key that secrets are encrypted with.
//!
//! A secret is sealed with `XChaCha20-Poly1305` under a random nonce, which stands before the ciphertext. Tenant and key are
//! authenticated with it, so that no row can take the place of another one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use innkeeper_model::id::TenantId;
use innkeeper_store::StoredSecret;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The key that secrets are encrypted with. Never printed.
#[derive(Clone)]
pub struct SecretKey([u8; KEY_BYTES]);

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret key is 32 bytes in Base64: make one with `head -c 32 /dev/urandom | base64`")]
pub struct InvalidSecretKey;

/// Why a secret cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The host was started without a key.
    #[error("the host has no key to read secrets with")]
    NoKey,
    /// The key is another one, or the stored bytes were changed.
    #[error("it cannot be decrypted: it was stored with another key, or its stored bytes were changed")]
    Undecipherable,
}

impl SecretKey {
    /// A key from its text, as [`SecretKey::to_text`] writes it; white space around it does not matter.
    ///
    /// # Errors
    /// [`InvalidSecretKey`] if it is not 32 bytes in Base64.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretKey> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| InvalidSecretKey)?;
        bytes.try_into().map(Self).map_err(|_| InvalidSecretKey)
    }

    /// A new key from the operating system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(random())
    }

    /// The key as text, to be kept where only the host can read it.
    #[must_use]
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Encrypts the secret that the tenant keeps under `key`.
    pub(crate) fn seal(&self, tenant: &TenantId, key: &str, secret: &str) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random();
        let place = place(tenant, key);
        let payload = Payload { msg: secret.as_bytes(), aad: &place };
        let sealed = self.cipher().encrypt(&nonce.into(), payload).expect("a secret is short enough");
        [&nonce[..], &sealed].concat()
    }

    /// Whether this is the key that a stored secret was encrypted with.
    #[must_use]
    pub fn fits(&self, secret: &StoredSecret) -> bool {
        self.open(&secret.tenant, &secret.key, &secret.ciphertext).is_ok()
    }

    /// Decrypts what [`SecretKey::seal`] made.
    ///
    /// # Errors
    /// [`SecretError::Undecipherable`] if it was made with another key, or for another tenant or key.
    pub(crate) fn open(
        &self,
        tenant: &TenantId,
        key: &str,
        ciphertext: &[u8],
    ) -> Result<String, SecretError> {
        let (nonce, sealed) =
            ciphertext.split_first_chunk::<NONCE_BYTES>().ok_or(SecretError::Undecipherable)?;
        let place = place(tenant, key);
        let opened = self.cipher().decrypt(&(*nonce).into(), Payload { msg: sealed, aad: &place });
        let secret = opened.map_err(|_| SecretError::Undecipherable)?;
        String::from_utf8(secret).map_err(|_| SecretError::Undecipherable)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecretKey(..)")
    }
}

/// What is authenticated with a secret: neither part holds a zero byte.
fn place(tenant: &TenantId, key: &str) -> Vec<u8> {
    [tenant.as_str().as_bytes(), &[0], key.as_bytes()].concat()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_where_it_was_put() {
        let (tenant, other) = (TenantId::default_tenant(), "acme".parse().expect("an id"));
        let key = SecretKey::generate();
        let sealed = key.seal(&tenant, "token", "s3cret");
        assert_eq!(key.open(&tenant, "token", &sealed), Ok("s3cret".to_owned()));
        assert_ne!(sealed, key.seal(&tenant, "token", "s3cret"));
        let refused = Err(SecretError::Undecipherable);
        assert_eq!(key.open(&other, "token", &sealed), refused);
        assert_eq!(key.open(&tenant, "other", &sealed), refused);
        assert_eq!(SecretKey::generate().open(&tenant, "token", &sealed), refused);
        for length in [0, 5, NONCE_BYTES, sealed.len() - 1] {
            assert_eq!(key.open(&tenant, "token", &sealed[..length]), refused, "{length}");
        }
    }

    #[test]
    fn a_key_is_text_and_never_printed() {
        let key = SecretKey::generate();
        let again = SecretKey::parse(&format!(" {}\n", key.to_text())).expect("a key");
        assert_eq!(again.0, key.0);
        assert_eq!(format!("{key:?}"), "SecretKey(..)");
        for bad in ["", "c2hvcnQ=", "not base64!", &STANDARD.encode([0; 33])] {
            assert_eq!(SecretKey::parse(bad).map(|_| ()), Err(InvalidSecretKey), "{bad}");
        }
    }
}
