//! What a runner can answer instead of what was asked for.

use innkeeper_model::problem::FieldError;
use innkeeper_model::sandbox::Refusal;
use innkeeper_store::StoreError;

/// Why a runner did not do what it was asked to. Nothing of it was kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RunnerError {
    /// The request is wrong in these fields.
    #[error("{}", describe(.0))]
    Invalid(Vec<FieldError>),
    /// What was named does not exist.
    #[error("the {what} `{id}` does not exist{}", hint(near.as_deref()))]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// What it was called.
        id: String,
        /// The nearest name of one that exists.
        near: Option<String>,
    },
    /// The execution has ended already.
    #[error("the execution `{0}` is not running")]
    NotRunning(String),
    /// The uploaded component was refused.
    #[error("the plugin was refused: {0}")]
    Refused(#[from] Refusal),
    /// The host is shutting down and takes no more work.
    #[error("the host is shutting down")]
    ShuttingDown,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunnerError {
    pub(crate) fn not_found(what: &'static str, id: &impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string(), near: None }
    }
}

fn describe(problems: &[FieldError]) -> String {
    let lines = problems.iter().map(|problem| format!("`{}` {}", problem.field, problem.message));
    lines.collect::<Vec<_>>().join("; ")
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}
