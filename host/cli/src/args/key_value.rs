//! `kv`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with the key-value store.
#[derive(Debug, Subcommand)]
pub enum KeyValueVerb {
    /// List the buckets that hold something.
    Buckets,
    /// List the keys of a bucket.
    List(ListKeys),
    /// Print a value as it is.
    Get {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Set a value.
    Set(SetValue),
    /// Delete a key.
    Delete {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
}

/// Which keys to list.
#[derive(Debug, Args)]
pub struct ListKeys {
    /// The bucket.
    pub bucket: String,
    /// Only keys that begin with this.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub prefix: String,
    /// How many keys to list.
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = super::number::at_least_one)]
    pub limit: usize,
}

/// The value to set.
#[derive(Debug, Args)]
pub struct SetValue {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The value, as text. Without it and without --file the value is read from standard input, as it is.
    #[arg(allow_hyphen_values = true)]
    pub value: Option<String>,
    /// File that holds the value.
    #[arg(long, conflicts_with = "value", value_name = "FILE")]
    pub file: Option<PathBuf>,
}
