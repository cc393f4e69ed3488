//! How a version is to take effect.

use std::fs;
use std::str::FromStr;

use clap::Args;
use innkeeper_model::topic::EventName;
use serde_json::{Map, Value};

use super::plugin::GrantText;

/// How a version is to take effect.
#[derive(Debug, Clone, Default, Args)]
pub struct RolloutArgs {
    /// What it may reach from now on, such as `http=https://api.example.com`; to be given once for each.
    #[arg(long, value_name = "KIND=WHAT")]
    pub allow: Vec<GrantText>,
    /// Activate it although it asks for what the active version does not and nobody has granted; that is denied when it is used.
    #[arg(long)]
    pub without_grants: bool,
    /// Move the runs that wait, for their first start or a retry, to it; else they stay on the version they were recorded with.
    #[arg(long)]
    pub migrate: bool,
    /// Activate it only if it does well with this event in a trial that changes nothing. DATA is JSON; FILE holds
    /// `{"event", "data", "metadata"}`, each of which may be left out.
    #[arg(long, value_name = "EVENT[=DATA]|@FILE")]
    pub canary: Option<Canary>,
    /// Let the trial make HTTP requests as far as they are granted. What those do is not taken back.
    #[arg(long, requires = "canary")]
    pub canary_http: bool,
}

/// A sample event as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// The text.
    pub typed: String,
    /// What it says: `event`, `data` and `metadata`, as far as they are given.
    pub sample: Map<String, Value>,
}

impl FromStr for Canary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { typed: text.to_owned(), sample: read(text)? })
    }
}

fn read(text: &str) -> Result<Map<String, Value>, String> {
    if let Some(path) = text.strip_prefix('@') {
        let text = fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
        return match serde_json::from_str(&text) {
            Ok(Value::Object(sample)) => Ok(sample),
            Ok(_) => Err(format!("{path} must hold an object: {{\"event\", \"data\", \"metadata\"}}")),
            Err(error) => Err(format!("{path} is not JSON: {error}")),
        };
    }
    let (event, data) = text.split_once('=').map_or((text, None), |(event, data)| (event, Some(data)));
    let mut sample = Map::new();
    let event = event.parse::<EventName>().map_err(|error| error.to_string())?;
    sample.insert("event".to_owned(), event.as_str().into());
    if let Some(data) = data {
        let data = serde_json::from_str(data)
            .map_err(|error| format!("`{data}` is not JSON: {error}; text stands in quotes"))?;
        sample.insert("data".to_owned(), data);
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canary(text: &str) -> Result<Value, String> {
        text.parse::<Canary>().map(|canary| Value::Object(canary.sample))
    }

    #[test]
    fn a_sample_is_typed_or_read_from_a_file() {
        assert_eq!(canary("user:joined"), Ok(json!({"event": "user:joined"})));
        let typed = canary(r#"user:joined={"name": "a=b"}"#);
        assert_eq!(typed, Ok(json!({"event": "user:joined", "data": {"name": "a=b"}})));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("sample.json");
        let read = || canary(&format!("@{}", file.display()));
        assert!(read().is_err_and(|error| error.contains("cannot read")));
        fs::write(&file, r#"{"metadata": {"url": "x"}}"#).expect("a file");
        assert_eq!(read(), Ok(json!({"metadata": {"url": "x"}})));
        fs::write(&file, "[]").expect("a file");
        assert!(read().is_err_and(|error| error.contains("an object")));
    }

    #[test]
    fn what_is_no_sample_is_refused() {
        for (text, expected) in [("a b", "white space"), ("a=x", "not JSON"), ("", "1 to 200")] {
            assert!(canary(text).is_err_and(|error| error.contains(expected)), "{text}");
        }
    }
}
