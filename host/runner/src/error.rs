//! What a runner can answer instead of what was asked for.

use std::io::ErrorKind;
use std::sync::Arc;

use innkeeper_model::id::TenantId;
use innkeeper_model::problem::FieldError;
use innkeeper_model::quota::Exceeded;
use innkeeper_model::sandbox::{Outcome, Refusal, Report};
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
    /// It cannot be done as things are.
    #[error("{detail}")]
    Conflict {
        /// The reason's name.
        code: &'static str,
        /// The reason in words.
        detail: String,
    },
    /// The execution has ended already.
    #[error("the execution `{0}` is not running")]
    NotRunning(String),
    /// The uploaded component was refused.
    #[error("the plugin was refused: {0}")]
    Refused(#[from] Refusal),
    /// A client's write relied on something that no longer holds.
    #[error("{0}")]
    PreconditionFailed(String),
    /// The stored secrets cannot be read with the key that the host was given.
    #[error(
        "the secrets in the database were encrypted with another key: start with the one that they were stored with \
         (INNKEEPER_SECRET_KEY, --secret-key-file, or the file `secret.key` in the data directory); nothing was changed"
    )]
    WrongSecretKey,
    /// A tenant of this name exists.
    #[error("a tenant `{0}` exists already")]
    TenantExists(TenantId),
    /// The tenant is disabled: nothing is taken from it, and nothing of it runs.
    #[error("the tenant `{0}` is disabled: nothing is taken from it until the operator enables it")]
    TenantDisabled(TenantId),
    /// It would go over one of the tenant's quotas.
    #[error(transparent)]
    QuotaExceeded(#[from] Exceeded),
    /// The task is paused because its plugin is quarantined.
    #[error("the task cannot be resumed: {0}; push another version, or have the operator release the plugin")]
    Quarantined(String),
    /// A version was not activated: its execution with the sample failed.
    #[error("the version is not activated: its trial failed as {}", failure(.0))]
    TrialFailed(Box<Report>),
    /// The host is shutting down and takes no more work.
    #[error("the host is shutting down")]
    ShuttingDown,
    /// A file that is needed meanwhile could not be written or read.
    #[error("a temporary file cannot be used: {0}")]
    File(Arc<std::io::Error>),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<std::io::Error> for RunnerError {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == ErrorKind::StorageFull {
            return Self::Store(StoreError::Full);
        }
        Self::File(Arc::new(error))
    }
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

fn failure(report: &Report) -> String {
    match &report.outcome {
        Outcome::Failure(failure) => format!("{}: {}", failure.kind, failure.message),
        Outcome::Success(_) => "nothing".to_owned(),
    }
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}
