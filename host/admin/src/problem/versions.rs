//! Why a version does not become the active one.

use axum::http::StatusCode;
use innkeeper_model::problem::FieldError;
use innkeeper_model::rollout::Capability;
use innkeeper_runner::RunnerError;

use super::Problem;

impl Problem {
    /// Somebody has to decide what a version may have.
    pub(super) fn grants_needed(kinds: &[Capability], message: &str) -> Self {
        let detail = format!(
            "{message}; say with `allow` what it may have, or with `withoutGrants` that it is to be activated all the same, \
             and denied what it asks for"
        );
        let mut problem = Self::new(StatusCode::CONFLICT, "grants_needed", detail);
        let needed = |kind: &Capability| {
            let message = format!("it asks for `{kind}`, which has no grant: allow `{}`", kind.form());
            FieldError::new("allow", "grant_needed", message).suggesting(Some(kind.form().to_owned()))
        };
        problem.0.errors = kinds.iter().map(needed).collect();
        problem
    }

    /// A version that was not activated because of how it did with the sample.
    pub(super) fn canary_failed(error: RunnerError) -> Self {
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "canary_failed", error.to_string());
        if let RunnerError::TrialFailed(report) = error {
            problem.0.trial = Some((*report).into());
        }
        problem
    }
}
