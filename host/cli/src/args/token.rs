//! `token`.

use clap::{Args, Subcommand};
use innkeeper_model::access::Role;
use innkeeper_model::id::TokenId;

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Make a token. Its secret is shown once.
    Create(CreateToken),
    /// List the tokens.
    List,
    /// Have a token be good no longer.
    Revoke {
        /// Its id; not the secret.
        id: TokenId,
    },
    /// Give a token a new secret, which is shown once. The old one is no longer good.
    Rotate {
        /// Its id; not the secret.
        id: TokenId,
    },
}

/// A new token.
#[derive(Debug, Args)]
pub struct CreateToken {
    /// What it is for, in words.
    #[arg(long)]
    pub name: String,
    /// What its bearer may do: `reader`, `writer`, `admin`, or `operator`.
    #[arg(long, value_name = "ROLE", value_parser = super::task::one_of::<Role, 4>(Role::ALL.map(Role::as_str)))]
    pub role: Role,
    /// After what time it is no longer good, such as 30d. [default: never]
    #[arg(long, value_name = "DURATION")]
    pub expires_in: Option<String>,
}
