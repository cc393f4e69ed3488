//! Writing to the execution's log.
//!
//! ```
//! use innkeeper_sdk::log;
//!
//! let name = "Ada";
//! log::info!("greeting {name}");
//! log::warn!("{} left", 3);
//! ```

use std::fmt;

use crate::host;
pub use crate::{critical, debug, error, info, trace, warn};

/// Adds a message to the log. `context` groups messages that belong together; the macros put the module's
/// path there.
///
/// Logging never fails: what does not fit in the host's limits is counted and left out.
///
/// ```
/// use innkeeper_sdk::log::{self, Level};
///
/// log::write(Level::Warn, "shop", "3 left");
/// ```
pub fn write(level: Level, context: &str, message: &str) {
    host::log(level, context, message);
}

/// How much a message matters, from least to most.
///
/// ```
/// use innkeeper_sdk::log::Level;
///
/// assert!(Level::Debug < Level::Error);
/// assert_eq!(Level::Warn.to_string(), "warn");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The flow of control and the values along it.
    Trace,
    /// For whoever looks for a fault in this plugin.
    Debug,
    /// For whoever watches over this plugin.
    Info,
    /// Something looks wrong, but the work goes on.
    Warn,
    /// Something failed.
    Error,
    /// Something failed so that the plugin cannot go on.
    Critical,
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

/// Logs at [`Level::Trace`](crate::log::Level::Trace); takes what `format!` takes.
///
/// ```
/// innkeeper_sdk::log::trace!("{} left", 3);
/// ```
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Trace, module_path!(), &format!($($message)+))
    };
}

/// Logs at [`Level::Debug`](crate::log::Level::Debug); takes what `format!` takes.
///
/// ```
/// innkeeper_sdk::log::debug!("{} left", 3);
/// ```
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Debug, module_path!(), &format!($($message)+))
    };
}

/// Logs at [`Level::Info`](crate::log::Level::Info); takes what `format!` takes.
///
/// ```
/// innkeeper_sdk::log::info!("{} left", 3);
/// ```
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Info, module_path!(), &format!($($message)+))
    };
}

/// Logs at [`Level::Warn`](crate::log::Level::Warn); takes what `format!` takes.
///
/// ```
/// innkeeper_sdk::log::warn!("{} left", 3);
/// ```
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Warn, module_path!(), &format!($($message)+))
    };
}

/// Logs at [`Level::Error`](crate::log::Level::Error); takes what `format!` takes.
///
/// ```
/// innkeeper_sdk::log::error!("{} left", 3);
/// ```
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Error, module_path!(), &format!($($message)+))
    };
}

/// Logs at [`Level::Critical`](crate::log::Level::Critical); takes what `format!` takes.
///
/// ```
/// innkeeper_sdk::log::critical!("{} left", 3);
/// ```
#[macro_export]
macro_rules! critical {
    ($($message:tt)+) => {
        $crate::log::write($crate::log::Level::Critical, module_path!(), &format!($($message)+))
    };
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::Level;
    use crate::log;
    use crate::testing::Scenario;

    #[test]
    fn macros_log_at_their_level_in_the_context_of_their_module() {
        let report = Scenario::new().enter(|| {
            log::trace!("{}", 1);
            log::debug!("2");
            log::info!("{three}", three = 3);
            log::warn!("4");
            log::error!("5");
            log::critical!("6");
        });
        let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Critical];
        assert_eq!(report.logs.iter().map(|line| line.level).collect::<Vec<_>>(), levels);
        assert_eq!(report.logs.iter().map(|line| line.message.as_str()).collect::<String>(), "123456");
        assert!(
            report.logs.iter().all(|line| line.context == "innkeeper_sdk::log::tests"),
            "{:?}",
            report.logs
        );
    }
}
