//! The configuration of a scenario.

use std::collections::BTreeMap;

use super::{STAGE, Scenario};
use crate::config::Error;

/// What is configured and granted.
#[derive(Debug, Clone, Default)]
pub(super) struct Configured(BTreeMap<String, String>);

impl Scenario {
    /// The tenant has configured this value or secret, and granted it to the plugin.
    ///
    /// ```
    /// use innkeeper_sdk::{config, testing::Scenario};
    ///
    /// let report = Scenario::new().config("greeting", "Hi").enter(|| config::get("greeting"));
    /// assert_eq!(report.result, Ok(Some("Hi".to_owned())));
    /// ```
    #[must_use]
    pub fn config(mut self, key: &str, value: &str) -> Self {
        self.config.0.insert(key.to_owned(), value.to_owned());
        self
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as in a component")]
pub(crate) fn get(key: &str) -> Result<Option<String>, Error> {
    Ok(STAGE.with_borrow(|stage| stage.as_ref()?.scenario.config.0.get(key).cloned()))
}
