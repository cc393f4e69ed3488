//! The contract's imports and export in a WebAssembly component.

use std::panic::PanicHookInfo;

use crate::context::Execution;
use crate::entry::Handler;
use crate::events::PublishError;
use crate::failure::Failure;
use crate::log::Level;

use bindings::innkeeper::plugin::{context, events};
use bindings::wasi::logging::logging;

/// The contract in Rust, generated.
#[expect(missing_docs, clippy::same_length_and_capacity, reason = "generated, and not for use by hand")]
pub mod bindings {
    wit_bindgen::generate!({
        world: "plugin",
        path: "../wit",
        pub_export_macro: true,
        runtime_path: "::innkeeper_sdk::__private::rt",
        generate_all,
    });
}

/// Runs a handler on behalf of the component's export.
///
/// # Errors
/// The handler's failure, or a permanent one if its arguments do not fit what came.
pub fn run<'event, A>(
    event: Option<&'event str>,
    data: Option<&str>,
    handler: impl Handler<'event, A>,
) -> Result<Option<String>, bindings::exports::innkeeper::plugin::handler::Failure> {
    // Every call has an instance of its own, so this happens once in its life.
    std::panic::set_hook(Box::new(log_panic));
    handler.call(event, data).map_err(Into::into)
}

/// Takes the place of the standard hook, which would write the same to standard error. The trap comes after.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("a value that is not text");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    log(Level::Error, "panic", &format!("panicked at {place}: {message}"));
}

pub(crate) fn current() -> Execution {
    let context::Execution {
        run_id,
        execution_id,
        task_id,
        attempt,
        max_attempts,
        scheduled_at,
        started_at,
        deadline,
        metadata,
        tenant,
        plugin_digest,
    } = context::current();
    Execution {
        run_id,
        execution_id,
        task_id,
        attempt,
        max_attempts,
        scheduled_at,
        started_at,
        deadline,
        metadata,
        tenant,
        plugin_digest,
    }
}

pub(crate) fn traceparent() -> Option<String> {
    context::traceparent()
}

pub(crate) fn progress(fraction: f32, note: &str) {
    context::progress(fraction, note);
}

pub(crate) fn publish(event: &str, data: Option<&str>) -> Result<(), PublishError> {
    events::publish(event, data).map_err(|error| match error {
        events::PublishError::InvalidName(message) => PublishError::InvalidName(message),
        events::PublishError::InvalidData(message) => PublishError::InvalidData(message),
        events::PublishError::TooLarge(message) => PublishError::TooLarge(message),
        events::PublishError::TooMany(message) => PublishError::TooMany(message),
    })
}

pub(crate) fn log(level: Level, context: &str, message: &str) {
    let level = match level {
        Level::Trace => logging::Level::Trace,
        Level::Debug => logging::Level::Debug,
        Level::Info => logging::Level::Info,
        Level::Warn => logging::Level::Warn,
        Level::Error => logging::Level::Error,
        Level::Critical => logging::Level::Critical,
    };
    logging::log(level, context, message);
}

impl From<Failure> for bindings::exports::innkeeper::plugin::handler::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Retry(message) => Self::Retry(message),
            Failure::RetryAfter(delay, message) => {
                let millis = delay.as_nanos().div_ceil(1_000_000);
                Self::RetryAfter((u64::try_from(millis).unwrap_or(u64::MAX), message))
            }
            Failure::Permanent(message) => Self::Permanent(message),
        }
    }
}
