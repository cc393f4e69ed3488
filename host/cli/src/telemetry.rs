//! What the host tells about itself: log lines on standard error, and spans to a collector of traces.

mod otlp;

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

pub(crate) use self::otlp::Exporter;

use crate::config::LogFormat;

/// The variable that says what is logged, such as `warn` or `info,innkeeper_store=debug`.
const FILTER: &str = "INNKEEPER_LOG";

/// Starts to log, as `INNKEEPER_LOG` says, else as `filter` does.
///
/// # Errors
/// The variable is not a filter, or something logs already.
pub(crate) fn start(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let wanted = std::env::var(FILTER).ok().filter(|filter| !filter.is_empty());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(filter)).with_context(|| {
        format!("{FILTER} must be a filter such as `info` or `warn,innkeeper_store=debug`")
    })?;
    let ansi = std::io::stderr().is_terminal() && console::colors_enabled_stderr();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    let started = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
