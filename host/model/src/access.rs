//! Who may ask for what: roles, and the secrets that stand for them.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::execution::UnknownName;
use crate::id::Digest;

/// What the bearer of a token may do. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at everything of its tenant but its tokens.
    Reader,
    /// Also change tasks, publish events, start and cancel runs, and write key-value data.
    Writer,
    /// Also manage plugins and what they may use and reach, configuration, and the tenant's tokens.
    Admin,
    /// Everything, for every tenant.
    Operator,
}

impl Role {
    /// Every role, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Writer, Self::Admin, Self::Operator];

    /// The role's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "role"))
    }
}

/// What every generated secret begins with, so that people and scanners recognise one.
pub const SECRET_PREFIX: &str = "ink_";

/// Hexadecimal digits of the check sum at a secret's end.
const CHECK_DIGITS: usize = 8;

/// A generated secret: `ink_`, 64 hexadecimal digits of chance, and 8 that check them against a slip. It is never printed
/// by accident: only [`Secret::reveal`] gives the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret made of 256 random bits.
    #[must_use]
    pub fn from_random(random: [u8; 32]) -> Self {
        let mut text = SECRET_PREFIX.to_owned();
        for byte in random {
            // A string takes all that is written to it.
            let _ = write!(text, "{byte:02x}");
        }
        let check = check(&text);
        Self(text + &check)
    }

    /// The text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(..)")
    }
}

/// Whether `text` has the form of a generated secret, its check sum included. What has not was never given out.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    let length = SECRET_PREFIX.len() + 64 + CHECK_DIGITS;
    if text.len() != length || !text.is_ascii() || !text.starts_with(SECRET_PREFIX) {
        return false;
    }
    let (body, given) = text.split_at(length - CHECK_DIGITS);
    check(body) == given
}

fn check(body: &str) -> String {
    let mut digits = Digest::of(body.as_bytes()).to_string();
    digits.truncate(CHECK_DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_named() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().expect("a role"), role);
        }
        assert!("root".parse::<Role>().is_err());
    }

    #[test]
    fn a_secret_is_recognised_and_never_printed() {
        let secret = Secret::from_random([7; 32]);
        assert!(is_secret(secret.reveal()));
        assert!(secret.reveal().starts_with("ink_0707"));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(secret.digest(), Digest::of(secret.reveal().as_bytes()));
        assert_ne!(secret, Secret::from_random([8; 32]));
    }

    #[test]
    fn a_secret_with_a_slip_is_none() {
        let secret = Secret::from_random([7; 32]);
        let slipped = secret.reveal().replacen("07", "70", 1);
        let longer = format!("{}0", secret.reveal());
        for text in [slipped.as_str(), &longer, "", "ink_", "s3cret", &"é".repeat(38)] {
            assert!(!is_secret(text), "{text}");
        }
    }
}
