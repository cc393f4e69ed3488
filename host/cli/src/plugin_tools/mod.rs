//! What a plugin's author does without a server: new projects, builds, a look into a component, a trial run.

mod build;
mod create;
mod inspect;
mod measure;
mod run;

use anyhow::Context as _;
use innkeeper_model::clock::SystemClock;
use innkeeper_sandbox::{SandboxConfig, WasmSandbox};

pub(crate) use self::build::build;
pub(crate) use self::create::create;
pub(crate) use self::inspect::inspect;
pub(crate) use self::run::{describe_trial, run};

/// A sandbox for one author on their own machine: it compiles in this process.
fn sandbox() -> anyhow::Result<WasmSandbox> {
    let config = SandboxConfig { concurrency: 4, ..SandboxConfig::default() };
    WasmSandbox::new(config, std::sync::Arc::new(SystemClock)).context("the sandbox could not be set up")
}
