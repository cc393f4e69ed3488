//! What a declaration may say.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bodies::{GrantsConfig, PluginLimitsConfig, TaskConfig};
use super::values::{Digest, PluginName};

/// What a tenant is to have.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "plugins": [{"name": "greeter", "digest": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}],
    "config": [{"key": "greeting", "value": "Good day"}],
    "tasks": [{"id": "hello", "type": "event", "onEvent": "user:*", "plugin": "greeter"}],
}))]
pub(crate) struct DeclarationConfig {
    presets: Option<Vec<PresetDeclared>>,
    plugins: Option<Vec<PluginDeclared>>,
    config: Option<Vec<ValueDeclared>>,
    tasks: Option<Vec<TaskConfig>>,
    /// Whether tasks, plugins and values that are not declared are to go.
    prune: Option<bool>,
}

/// A preset. The operator's alone: it is the same for all tenants.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PresetDeclared {
    /// Such as `@nightly`.
    name: String,
    cron: String,
    description: Option<String>,
}

/// A plugin, whose component was uploaded to `/v1/components` unless the plugin has it already.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PluginDeclared {
    #[schema(value_type = PluginName)]
    name: String,
    #[schema(value_type = Digest)]
    digest: String,
    /// What is left out is left alone.
    grants: Option<GrantsConfig>,
    /// What is left out is left alone.
    limits: Option<PluginLimitsConfig>,
}

/// A value that plugins are configured with.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ValueDeclared {
    key: String,
    /// Without it a secret that is there is left alone.
    value: Option<String>,
    secret: Option<bool>,
}

/// Grants, or nothing.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum GrantsOrNone {
    Some(GrantsConfig),
    None,
}

/// Limits, or nothing.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum LimitsOrNone {
    Some(PluginLimitsConfig),
    None,
}
