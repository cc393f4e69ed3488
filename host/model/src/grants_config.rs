//! Grants as people write them: the JSON that the API takes and a plugin's manifest holds.

use std::str::FromStr;

use serde_json::{Map, Value};

use crate::grants::{Grants, HttpGrant};
use crate::problem::{FieldError, nearest};

const FIELDS: [&str; 3] = ["http", "keyValue", "config"];
/// Entries of one list.
const ENTRIES_MAX: usize = 100;
/// Bytes of the name of a bucket or a key.
const NAME_BYTES_MAX: usize = 128;

impl Grants {
    /// Reads `{http: […], keyValue: […], config: […]}`. A list that is absent or `null` is empty; what is named twice is
    /// granted once.
    ///
    /// # Errors
    /// Everything that is wrong with it, named by field.
    pub fn from_json(value: Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(mut object) = value else {
            return Err(vec![FieldError::new("body", "wrong_type", "must be an object")]);
        };
        let mut problems = Vec::new();
        for key in object.keys().filter(|key| !FIELDS.contains(&key.as_str())) {
            let message = format!("is not a field; known are {}", FIELDS.join(", "));
            let error = FieldError::new(key, "unknown_field", message);
            problems.push(error.suggesting(nearest(key, FIELDS)));
        }
        let grants = Self {
            http: read(&mut object, "http", "invalid_destination", http_grant, &mut problems),
            key_value: read(&mut object, "keyValue", "invalid_name", name, &mut problems),
            config: read(&mut object, "config", "invalid_name", name, &mut problems),
        };
        if problems.is_empty() { Ok(grants) } else { Err(problems) }
    }
}

impl Grants {
    /// Adds a grant as people type it: `http=https://HOST[:PORT]`, `kv=BUCKET` or `config=KEY`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn allow(&mut self, text: &str) -> Result<(), String> {
        let form = "write `http=https://HOST`, `kv=BUCKET` or `config=KEY`";
        let (kind, entry) = text.split_once('=').ok_or_else(|| format!("`{text}` is no grant: {form}"))?;
        let mut more = Self::default();
        match kind {
            "http" => more.http.push(http_grant(entry)?),
            "kv" | "keyValue" => more.key_value.push(name(entry)?),
            "config" => more.config.push(name(entry)?),
            _ => return Err(format!("`{kind}` is no kind of grant: {form}")),
        }
        self.extend(&more);
        Ok(())
    }
}

fn http_grant(text: &str) -> Result<HttpGrant, String> {
    HttpGrant::from_str(text).map_err(|error| error.to_string())
}

fn name(text: &str) -> Result<String, String> {
    let is_valid = (1..=NAME_BYTES_MAX).contains(&text.len())
        && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    if is_valid {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` must be 1 to {NAME_BYTES_MAX} bytes without white space and control characters"))
}

/// The list under `field`, each entry as `parse` reads it, in order and without repetitions.
fn read<T: PartialEq>(
    object: &mut Map<String, Value>,
    field: &str,
    code: &str,
    parse: impl Fn(&str) -> Result<T, String>,
    problems: &mut Vec<FieldError>,
) -> Vec<T> {
    let entries = match object.remove(field) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(entries)) if entries.len() <= ENTRIES_MAX => entries,
        Some(Value::Array(entries)) => {
            let message = format!("has {} entries; at most {ENTRIES_MAX} are allowed", entries.len());
            problems.push(FieldError::new(field, "too_many", message));
            return Vec::new();
        }
        Some(_) => {
            problems.push(FieldError::new(field, "wrong_type", "must be a list of strings"));
            return Vec::new();
        }
    };
    let mut granted = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let place = format!("{field}[{index}]");
        match entry.as_str().map(&parse) {
            Some(Ok(entry)) if granted.contains(&entry) => {}
            Some(Ok(entry)) => granted.push(entry),
            Some(Err(message)) => problems.push(FieldError::new(place, code, message)),
            None => problems.push(FieldError::new(place, "wrong_type", "must be a string")),
        }
    }
    granted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn grants_are_read_as_they_are_written() {
        let written = json!({"http": ["https://api.example.com", "http://*.a.org:81"], "keyValue": ["x"], "config": ["y"]});
        let grants = Grants::from_json(written.clone()).expect("grants");
        assert_eq!(serde_json::to_value(&grants).expect("JSON"), written);
        assert_eq!(Grants::from_json(json!({"http": null})), Ok(Grants::default()));
        let twice = json!({"http": ["https://a.org", "HTTPS://A.org:443/"]});
        assert_eq!(Grants::from_json(twice).expect("grants").http.len(), 1);
    }

    #[test]
    fn grants_are_typed_with_their_kind() {
        let mut grants = Grants::default();
        for text in ["http=HTTPS://A.org:443", "kv=a=b", "keyValue=c", "config=k", "config=k"] {
            assert_eq!(grants.allow(text), Ok(()), "{text}");
        }
        let expected = json!({"http": ["https://a.org"], "keyValue": ["a=b", "c"], "config": ["k"]});
        assert_eq!(serde_json::to_value(&grants).expect("JSON"), expected);
        for (text, expected) in [
            ("https://a.org", "no grant"),
            ("file=/etc", "no kind"),
            ("http=a.org", "no destination"),
            ("kv=", "1 to"),
        ] {
            assert!(grants.allow(text).is_err_and(|message| message.contains(expected)), "{text}");
        }
    }

    #[test]
    fn every_problem_is_named_by_its_field() {
        let refused = Grants::from_json(json!({
            "http": ["https://ok.example", "ftp://x", 7],
            "keyvalue": [],
            "keyValue": "all",
            "config": ["", "two words"],
        }));
        let problems = refused.expect_err("problems");
        let mut found: Vec<_> =
            problems.iter().map(|problem| (problem.field.as_str(), problem.code.as_str())).collect();
        found.sort_unstable();
        let expected = [
            ("config[0]", "invalid_name"),
            ("config[1]", "invalid_name"),
            ("http[1]", "invalid_destination"),
            ("http[2]", "wrong_type"),
            ("keyValue", "wrong_type"),
            ("keyvalue", "unknown_field"),
        ];
        assert_eq!(found, expected);
        let unknown = problems.iter().find(|problem| problem.field == "keyvalue").expect("a problem");
        assert_eq!(unknown.suggestion.as_deref(), Some("keyValue"));
        let many = json!({"config": vec!["x"; 101]});
        assert_eq!(Grants::from_json(many).expect_err("a problem")[0].code, "too_many");
        assert_eq!(Grants::from_json(json!([])).expect_err("a problem")[0].field, "body");
    }
}
