//! What the log of an execution says of something that is not granted: the grant that would allow it, ready to paste.

use innkeeper_model::execution::LogLevel;
use innkeeper_model::id::PluginName;

use crate::state::State;

/// Lines of one kind in one log at most.
pub(crate) const LINES_MAX: usize = 32;

/// The line about a thing of `kind` called `name`, which is granted as `grant`=`name`.
pub(crate) fn line(kind: &str, name: &str, plugin: &PluginName, grant: &str) -> String {
    format!("denied: {kind} \"{name}\": allow it with: innkeeper plugin allow {plugin} {grant}={name}")
}

/// Adds a line to the log of the execution.
pub(crate) fn warn(state: &State, line: &str) {
    state.logs.lock().log(LogLevel::Warn, line, state.now());
}
