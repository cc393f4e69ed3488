//! What the server says when it refuses: `application/problem+json` (RFC 9457).

use std::fmt::Write as _;

use innkeeper_model::problem::FieldError;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::output::printable;
use crate::plugin_tools;

/// A refusal as the server writes it. Every field may be missing: something between here and the server may answer too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable code for programs.
    pub code: Option<String>,
    /// The kind of problem, for people.
    pub title: Option<String>,
    /// What is wrong with this request, for people.
    pub detail: Option<String>,
    /// What is wrong, field by field.
    pub errors: Box<[FieldError]>,
    /// The execution that was only tried, if that is what failed.
    pub trial: Option<Box<Value>>,
    /// What to do about it, for people. Not the server's.
    #[serde(skip)]
    pub hint: Option<Box<str>>,
}

impl Problem {
    /// Reads an answer of an error status. A body that is no problem document is shown as it is.
    #[must_use]
    pub fn from_answer(status: u16, body: &[u8]) -> Self {
        let read = serde_json::from_slice::<Self>(body).ok();
        let mut problem = read.unwrap_or_else(|| Self { detail: plain_text(body), ..Self::default() });
        problem.status = status;
        problem
    }

    /// The problem as a document, as the server wrote it.
    #[must_use]
    pub fn document(&self) -> Value {
        let fallback = || format!("the server answered with status {}", self.status);
        let detail = self.detail.clone().or_else(|| self.title.clone()).unwrap_or_else(fallback);
        let mut document = json!({"type": "about:blank", "status": self.status, "detail": detail});
        for (key, text) in [("title", &self.title), ("code", &self.code)] {
            if let Some(text) = text {
                document[key] = text.as_str().into();
            }
        }
        if !self.errors.is_empty() {
            document["errors"] = json!(self.errors);
        }
        if let Some(trial) = &self.trial {
            document["trial"] = (**trial).clone();
        }
        document
    }

    /// The problem in words: what is wrong on the first line, then a line for each field.
    #[must_use]
    pub fn describe(&self) -> String {
        let fallback = format!("the server answered with status {}", self.status);
        let text = self.detail.as_deref().or(self.title.as_deref()).unwrap_or(&fallback);
        let mut lines = printable(text);
        if let Some(code) = &self.code {
            let _ = write!(lines, " [{}]", printable(code));
        }
        let width = self.errors.iter().map(|error| error.field.chars().count()).max().unwrap_or(0);
        // A problem of only one thing is told in the first line already.
        let told = |error: &FieldError| self.errors.len() == 1 && text.contains(&error.message);
        for error in self.errors.iter().filter(|error| !told(error)) {
            let _ = write!(lines, "\n  {:width$}  {}", printable(&error.field), printable(&error.message));
            if let Some(near) = error.suggestion.as_ref().filter(|near| !error.message.contains(*near)) {
                let _ = write!(lines, " (did you mean `{}`?)", printable(near));
            }
        }
        if let Some(trial) = &self.trial {
            let _ = write!(lines, "\n{}", plugin_tools::describe_trial(trial).trim_end());
        }
        if let Some(hint) = &self.hint {
            let _ = write!(lines, "\n{hint}");
        }
        lines.push_str(remedy(self.status));
        lines
    }
}

fn remedy(status: u16) -> &'static str {
    if status == 401 { "\nset INNKEEPER_TOKEN to a token that the server knows" } else { "" }
}

fn plain_text(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body).trim().chars().take(500).collect::<String>();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_named_with_its_suggestion() {
        let body = br#"{"status": 422, "title": "Invalid", "code": "invalid_task", "detail": "the task is not valid",
            "errors": [
                {"field": "timezone", "code": "x", "message": "is not a time zone", "suggestion": "Europe/Rome"},
                {"field": "id", "code": "x", "message": "is like `a`", "suggestion": "a"}]}"#;
        assert_eq!(
            Problem::from_answer(422, body).describe(),
            "the task is not valid [invalid_task]\n  \
             timezone  is not a time zone (did you mean `Europe/Rome`?)\n  \
             id        is like `a`"
        );
    }

    #[test]
    fn nothing_is_said_twice() {
        let body =
            br#"{"detail": "too large", "errors": [{"field": "data", "code": "x", "message": "too large"}]}"#;
        assert_eq!(Problem::from_answer(422, body).describe(), "too large");
        let body = br#"{"detail": "`cron` is not a pattern", "code": "invalid",
            "errors": [{"field": "cron", "code": "x", "message": "is not a pattern"}]}"#;
        assert_eq!(Problem::from_answer(422, body).describe(), "`cron` is not a pattern [invalid]");
    }

    #[test]
    fn any_other_answer_is_shown_as_it_is() {
        assert_eq!(Problem::from_answer(502, b"bad gateway\n").describe(), "bad gateway");
        assert_eq!(Problem::from_answer(500, b"").describe(), "the server answered with status 500");
        assert!(Problem::from_answer(401, b"{}").describe().contains("INNKEEPER_TOKEN"));
    }
}
