//! What is wrong with a request, field by field.

use serde::{Deserialize, Serialize};

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's path, such as `retryPolicy.delay`.
    pub field: String,
    /// A stable code for programs.
    pub code: String,
    /// What is wrong and what would be right, for people.
    pub message: String,
    /// The nearest valid value, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl FieldError {
    /// An error without a suggestion.
    #[must_use]
    pub fn new(field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.to_owned(), message: message.into(), suggestion: None }
    }

    /// The same error with the nearest valid value, if one is near.
    #[must_use]
    pub fn suggesting(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

/// The candidate nearest to `value`, if it is near enough to be what was meant: at most a third of its characters
/// differ (Damerau-Levenshtein distance, letter case ignored).
pub fn nearest<'a>(value: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = value.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
    let best = candidates.into_iter().map(|candidate| (distance(candidate), candidate)).min()?;
    let near = best.0 <= (best.1.chars().count().max(value.chars().count()) / 3).max(1);
    near.then(|| best.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_candidate_is_offered_only_if_near() {
        assert_eq!(nearest("onevent", ["onEvent", "cron"]), Some("onEvent".to_owned()));
        assert_eq!(nearest("corn", ["onEvent", "cron"]), Some("cron".to_owned()));
        assert_eq!(nearest("zebra", ["onEvent", "cron"]), None);
        assert_eq!(nearest("zebra", []), None);
    }
}
