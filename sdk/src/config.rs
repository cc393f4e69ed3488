//! Settings and secrets that the tenant has configured.
//!
//! Needs the feature `config`, and for each key a grant: `innkeeper plugin allow NAME config=KEY`. A secret is read like
//! any other value; the host keeps it out of the execution's log, output and error message.

#[cfg(target_family = "wasm")]
mod component;

use std::error::Error as StdError;
use std::fmt;

#[cfg(target_family = "wasm")]
use component as host;

use crate::Failure;
#[cfg(not(target_family = "wasm"))]
use crate::testing::config as host;

/// The value under `key`; `None` if there is none, or if the key is not granted to the plugin. The execution's log tells the
/// two apart.
///
/// ```
/// use innkeeper_sdk::{Failure, config};
///
/// fn greeting() -> Result<String, Failure> {
///     Ok(config::get("greeting")?.unwrap_or("Hello".to_owned()))
/// }
/// # use innkeeper_sdk::testing::Scenario;
/// # assert_eq!(Scenario::new().config("greeting", "Hi").enter(greeting).result, Ok("Hi".to_owned()));
/// # assert_eq!(Scenario::new().enter(greeting).result, Ok("Hello".to_owned()));
/// ```
///
/// # Errors
/// The configuration cannot be read.
pub fn get(key: &str) -> Result<Option<String>, Error> {
    host::get(key)
}

/// The value under `key`, without which the handler cannot do its work.
///
/// ```
/// use innkeeper_sdk::{Failure, config};
///
/// fn authorization() -> Result<String, Failure> {
///     Ok(format!("Bearer {}", config::require("api-token")?))
/// }
/// # use innkeeper_sdk::testing::Scenario;
/// # let report = Scenario::new().config("api-token", "s3cret").enter(authorization);
/// # assert_eq!(report.result, Ok("Bearer s3cret".to_owned()));
/// # assert!(matches!(Scenario::new().enter(authorization).result, Err(Failure::Permanent(_))));
/// ```
///
/// # Errors
/// A permanent failure that says how to set and grant the key, if there is no value; one that may be tried again if the
/// configuration cannot be read.
pub fn require(key: &str) -> Result<String, Failure> {
    get(key)?.ok_or_else(|| {
        Failure::permanent(format!(
            "the configuration key `{key}` has no value for this plugin: set it with `innkeeper config set {key}` and \
             grant it with `innkeeper plugin allow NAME config={key}`"
        ))
    })
}

/// The configuration cannot be read. The message says why.
///
/// ```
/// use innkeeper_sdk::config;
///
/// let error = config::Error("the disk is gone".to_owned());
/// assert_eq!(error.to_string(), "the configuration cannot be read: the disk is gone");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub String);

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the configuration cannot be read: {}", self.0)
    }
}

impl StdError for Error {}
