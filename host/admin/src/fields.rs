//! Taking typed fields out of a JSON object, noting every problem on the way.

use innkeeper_model::problem::{FieldError, nearest};
use serde_json::{Map, Value};

/// A JSON object that is being read.
pub(crate) struct Fields<'a> {
    /// The path of the object within the body, with a dot at its end unless it is empty.
    prefix: &'a str,
    object: Map<String, Value>,
    problems: &'a mut Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Begins to read `value`, which is to be an object with no other keys than `keys`.
    pub(crate) fn new(
        prefix: &'a str,
        value: Value,
        keys: &[&str],
        problems: &'a mut Vec<FieldError>,
    ) -> Self {
        let object = match value {
            Value::Object(object) => object,
            other => {
                let field = if prefix.is_empty() { "body" } else { prefix.trim_end_matches('.') };
                problems.push(FieldError::new(
                    field,
                    "wrong_type",
                    format!("must be an object, not {}", kind(&other)),
                ));
                Map::new()
            }
        };
        for key in object.keys().filter(|key| !keys.contains(&key.as_str())) {
            problems.push(unknown(format!("{prefix}{key}"), "field", key, keys));
        }
        Self { prefix, object, problems }
    }

    /// The value under `key`; `null` counts as absent.
    pub(crate) fn value(&mut self, key: &str) -> Option<Value> {
        self.object.remove(key).filter(|value| !value.is_null())
    }

    /// The text under `key`.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::String(text) => Some(text),
            other => {
                self.problem(key, "wrong_type", format!("must be a string, not {}", kind(&other)));
                None
            }
        }
    }

    /// The text under `key`, which must be there; empty if it is not.
    pub(crate) fn required_text(&mut self, key: &str) -> String {
        if self.object.get(key).is_none_or(Value::is_null) {
            self.problem(key, "missing", "is required".to_owned());
        }
        self.text(key).unwrap_or_default()
    }

    /// Whether what `key` says is so.
    pub(crate) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Bool(flag) => Some(flag),
            other => {
                self.problem(key, "wrong_type", format!("must be `true` or `false`, not {}", kind(&other)));
                None
            }
        }
    }

    /// The number under `key`, from 1 to `max`.
    pub(crate) fn count(&mut self, key: &str, max: u32) -> Option<u32> {
        let value = self.value(key)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let count = number.filter(|count| (1..=max).contains(count));
        if count.is_none() {
            self.problem(key, "out_of_range", format!("must be a whole number from 1 to {max}"));
        }
        count
    }

    /// The whole number under `key`.
    pub(crate) fn whole(&mut self, key: &str) -> Option<u64> {
        let value = self.value(key)?;
        let number = value.as_u64();
        if number.is_none() {
            self.problem(key, "wrong_type", format!("must be a whole number, not {}", kind(&value)));
        }
        number
    }

    /// The value under `key` as it is, also if it is `null`.
    pub(crate) fn entry(&mut self, key: &str) -> Option<Value> {
        self.object.remove(key)
    }

    fn problem(&mut self, key: &str, code: &str, message: String) {
        self.problems.push(FieldError::new(format!("{}{key}", self.prefix), code, message));
    }
}

/// The problem of a key that nobody knows, with the one that was probably meant.
pub(crate) fn unknown(field: String, what: &str, key: &str, known: &[&str]) -> FieldError {
    let suggestion = nearest(key, known.iter().copied());
    let hint = match (&suggestion, known) {
        (Some(near), _) => format!("; did you mean `{near}`?"),
        (None, []) => "; there are none here".to_owned(),
        (None, known) => format!("; there are `{}`", known.join("`, `")),
    };
    let code = format!("unknown_{what}");
    FieldError::new(field, &code, format!("is not a known {what}{hint}")).suggesting(suggestion)
}

/// What a value is, in words: the value itself may be long.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_problem_is_noted() {
        let mut problems = Vec::new();
        let body = json!({"event": 7, "dta": 1, "count": 0, "absent": null});
        let mut fields = Fields::new("3.", body, &["event", "data", "count", "absent"], &mut problems);
        assert_eq!(fields.required_text("event"), "");
        assert_eq!(fields.required_text("absent"), "");
        assert_eq!(fields.value("data"), None);
        assert_eq!(fields.count("count", 10), None);
        let named: Vec<_> =
            problems.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
        let expected = [
            ("3.dta", "unknown_field"),
            ("3.event", "wrong_type"),
            ("3.absent", "missing"),
            ("3.count", "out_of_range"),
        ];
        assert_eq!(named, expected);
        assert_eq!(problems[0].suggestion.as_deref(), Some("data"));
    }

    #[test]
    fn a_body_that_is_no_object_is_one_problem_of_the_body() {
        let mut problems = Vec::new();
        Fields::new("", json!([]), &["event"], &mut problems);
        assert_eq!(problems, [FieldError::new("body", "wrong_type", "must be an object, not an array")]);
    }
}
