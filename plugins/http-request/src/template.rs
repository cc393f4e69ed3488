//! Texts with places to fill in: `{{event}}`, `{{data.order.id}}`, `{{runId}}`.

use innkeeper_sdk::context::Execution;
use serde_json::{Map, Value, json};

/// What can be filled in.
pub(crate) struct Values(Value);

impl Values {
    /// The event's name, its data, and what is known of the execution.
    pub(crate) fn new(event: Option<&str>, data: Option<&Value>, execution: &Execution) -> Self {
        Self(json!({
            "event": event,
            "data": data,
            "runId": execution.run_id,
            "executionId": execution.execution_id,
            "taskId": execution.task_id,
            "attempt": execution.attempt,
            "scheduledAt": execution.scheduled_at,
            "startedAt": execution.started_at,
        }))
    }

    /// The text with everything filled in.
    pub(crate) fn fill(&self, text: &str) -> Result<String, String> {
        self.fill_with(text, shown)
    }

    /// The URL with everything filled in, percent-encoded so that it stays within its part of the URL.
    pub(crate) fn fill_url(&self, text: &str) -> Result<String, String> {
        self.fill_with(text, |value| encode(&shown(value)))
    }

    /// The value with every text in it filled in. A text that is one place and nothing else becomes the value itself.
    pub(crate) fn fill_json(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match whole(text) {
                Some(name) => self.find(name)?.clone(),
                None => Value::String(self.fill(text)?),
            },
            Value::Array(values) => {
                values.iter().map(|value| self.fill_json(value)).collect::<Result<_, _>>()?
            }
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| Ok((name.clone(), self.fill_json(value)?)));
                Value::Object(fields.collect::<Result<Map<_, _>, String>>()?)
            }
            other => other.clone(),
        })
    }

    fn fill_with(&self, text: &str, show: impl Fn(&Value) -> String) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) =
                after.split_once("}}").ok_or_else(|| format!("`{{{{` without `}}}}` in `{text}`"))?;
            filled.push_str(before);
            filled.push_str(&show(self.find(name.trim())?));
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn find(&self, name: &str) -> Result<&Value, String> {
        let mut value = &self.0;
        for step in name.split('.') {
            let found = match value {
                Value::Array(values) => step.parse::<usize>().ok().and_then(|index| values.get(index)),
                other => other.get(step),
            };
            value = found.ok_or_else(|| format!("there is no `{name}` to fill in"))?;
        }
        Ok(value)
    }
}

/// The name, if the text is one place to fill in and nothing else.
fn whole(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?;
    (!name.contains("{{")).then(|| name.trim())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => {
                encoded.push('%');
                encoded.extend(
                    [other >> 4, other & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
                );
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values(json!({"event": "a:b", "data": {"list": [1, {"x": "é /"}], "none": null}, "attempt": 2}))
    }

    #[test]
    fn places_are_filled_in() {
        for (text, filled) in [
            ("", ""),
            ("plain }} text", "plain }} text"),
            ("{{event}}-{{ attempt }}", "a:b-2"),
            ("{{data.list.0}}{{data.none}}", "1"),
            ("{{data.list}}", r#"[1,{"x":"é /"}]"#),
        ] {
            assert_eq!(values().fill(text).as_deref(), Ok(filled), "{text}");
        }
        assert_eq!(values().fill_url("/{{data.list.1.x}}").as_deref(), Ok("/%C3%A9%20%2F"));
    }

    #[test]
    fn values_keep_their_type_in_json() {
        let body = json!({"n": "{{attempt}}", "t": "no {{attempt}}", "l": ["{{data.none}}", true]});
        let filled = values().fill_json(&body);
        assert_eq!(filled, Ok(json!({"n": 2, "t": "no 2", "l": [null, true]})));
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert!(values().fill("{{data.list.7}}").is_err_and(|why| why.contains("`data.list.7`")));
        assert!(values().fill("{{event").is_err_and(|why| why.contains("without `}}`")));
        assert!(values().fill_json(&json!(["{{nobody}}"])).is_err());
    }
}
