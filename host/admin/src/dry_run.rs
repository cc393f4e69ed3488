//! Parameters of requests that may be tried out.

use innkeeper_model::id::PluginName;

use crate::query::{FromQuery, Parameters};

/// `dryRun`, and the `assumePlugins` that need not exist in a dry run, with commas between them.
pub(crate) struct DryRun {
    pub(crate) is_dry: bool,
    pub(crate) assumed: Vec<PluginName>,
}

impl FromQuery for DryRun {
    const KEYS: &'static [&'static str] = &["dryRun", "assumePlugins"];

    fn read(parameters: &mut Parameters) -> Self {
        let is_dry = parameters.choice("dryRun", &["true", "false"]).unwrap_or(false);
        let names = parameters.choice::<String>("assumePlugins", &[]).unwrap_or_default();
        // A name that cannot be one is the handler of no task.
        let assumed = names.split(',').filter_map(|name| name.parse().ok()).collect();
        Self { is_dry, assumed }
    }
}
