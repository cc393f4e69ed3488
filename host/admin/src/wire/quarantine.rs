//! A plugin's quarantine, as answers show it.

use innkeeper_model::id::PluginName;
use innkeeper_model::time::Timestamp;
use innkeeper_store as store;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::values;

/// Why no run of a plugin's active version starts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Quarantine {
    #[schema(value_type = values::Instant)]
    since: Timestamp,
    /// In words, for people.
    reason: String,
    /// What ends it, in words, for people.
    release: String,
}

impl Quarantine {
    pub(crate) fn new(plugin: &PluginName, quarantine: store::Quarantine) -> Self {
        let store::Quarantine { since, crashes } = quarantine;
        Self {
            since,
            reason: format!("the host crashed {crashes} times while this version ran"),
            release: format!(
                "the operator releases it with `innkeeper plugin release {plugin}`; pushing another version ends it too"
            ),
        }
    }
}
