//! One type per kind of identifier, so that one cannot be passed for another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::time::Timestamp;

/// Why a name or identifier was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{value}` {rule}")]
pub struct InvalidId {
    what: &'static str,
    value: String,
    rule: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { what: $what, value: shorten(text), rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// A tenant: 1 to 64 characters of `a-z`, `0-9` and `-`, starting with a letter or digit.
    TenantId, "tenant", "must be 1 to 64 characters of a-z, 0-9 and `-`, and start with a letter or digit",
    |text| is_slug(text, 64, |c| c == b'-')
}

name_type! {
    /// A plugin's name: 1 to 64 characters of `a-z`, `0-9`, `-`, `_` and `.`, starting with a letter or digit.
    PluginName, "plugin name", "must be 1 to 64 characters of a-z, 0-9, `-`, `_` and `.`, and start with a letter or digit",
    |text| is_slug(text, 64, |c| matches!(c, b'-' | b'_' | b'.'))
}

name_type! {
    /// A task's id: 1 to 200 printable characters without white space or `/`.
    TaskId, "task id", "must be 1 to 200 printable characters without white space or `/`",
    |text| (1..=200).contains(&text.chars().count())
        && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '/')
        && !matches!(text, "." | "..")
}

fn is_slug(text: &str, length_max: usize, also: fn(u8) -> bool) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=length_max).contains(&text.len())
        && text.bytes().all(|c| plain(c) || also(c))
        && text.bytes().next().is_some_and(plain)
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 {
        return text.to_owned();
    }
    text.chars().take(77).chain("...".chars()).collect()
}

impl TenantId {
    /// The tenant of a host that serves only one.
    #[must_use]
    pub fn default_tenant() -> Self {
        Self("default".into())
    }
}

macro_rules! uuid_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier (UUID version 7, RFC 9562): ordered by `now`, made unique by `random`.
            #[must_use]
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// The instant that it was made at, in milliseconds since 1970: the first 48 bits (RFC 9562, section 5.7).
            #[must_use]
            pub fn at(&self) -> Timestamp {
                let millis = self.0.as_u128() >> 80;
                Timestamp::from_millis(i64::try_from(millis).unwrap_or(0))
            }

            /// The identifier as a UUID.
            #[must_use]
            pub fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = || InvalidId { what: $what, value: shorten(text), rule: "must be a UUID" };
                Uuid::try_parse(text).map(Self).map_err(|_| invalid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

uuid_type! {
    /// One firing of a task, stable across its attempts: the idempotency key a handler sees.
    RunId, "run id"
}

uuid_type! {
    /// One attempt of a run.
    ExecutionId, "execution id"
}

uuid_type! {
    /// One published event.
    EventId, "event id"
}

uuid_type! {
    /// One token; not the secret that it stands for.
    TokenId, "token id"
}

uuid_type! {
    /// One entry of the record of changes made through the API.
    AuditId, "audit id"
}

uuid_type! {
    /// One upload that was answered before it was done.
    UploadId, "upload id"
}

/// The SHA-256 digest of a component's bytes: the name of a plugin version. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of bytes that come in parts.
    #[must_use]
    pub fn of_parts() -> DigestOfParts {
        DigestOfParts(Sha256::new())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A digest that is being taken of bytes as they come.
#[derive(Debug, Clone)]
pub struct DigestOfParts(Sha256);

impl DigestOfParts {
    /// Takes in the next bytes.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The digest of all of them.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid =
            || InvalidId { what: "digest", value: shorten(text), rule: "must be 64 hexadecimal digits" };
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "greeter", "my-plugin_2.0"] {
            assert!(good.parse::<PluginName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a b", "a/b", &"a".repeat(65)] {
            assert!(bad.parse::<PluginName>().is_err(), "{bad}");
        }
        assert!("user:login:log".parse::<TaskId>().is_ok());
        for bad in ["", "a b", "a/b", "a\n", "..", &"é".repeat(201)] {
            assert!(bad.parse::<TaskId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_made_later_sort_later() {
        let early = RunId::new(Timestamp::from_millis(1_000), [0xff; 10]);
        let late = RunId::new(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
    }

    #[test]
    fn digests_round_trip_as_text() {
        let digest = Digest::of(b"");
        assert_eq!(digest.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("e3b0".parse::<Digest>().is_err());
        assert!("é".repeat(32).parse::<Digest>().is_err());
    }
}
