//! `plugin limits`: what each execution of a plugin may use.

use serde_json::{Map, Value};

use crate::args::PluginLimits;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Output, fields, json_text};

/// Shows the limits of a plugin, or changes those that are named.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(wish: PluginLimits, client: &Client, output: Output) -> Result<(), Failure> {
    let path = ["plugins", wish.name.as_str(), "limits"];
    let current = client.get(&path, &[]).await?;
    if wish.set.is_empty() {
        return Ok(output.answer(&current, describe)?);
    }
    let limits = changed(current["limits"].as_object().cloned().unwrap_or_default(), wish.set);
    let (_, limits) = client.put(&path, &[], &limits.into()).await?;
    Ok(output.done(&limits, describe)?)
}

/// The limits with those that are named; nothing takes one away.
fn changed(mut limits: Map<String, Value>, wishes: Vec<(String, Value)>) -> Map<String, Value> {
    limits.extend(wishes);
    limits.retain(|_, value| !value.is_null());
    limits
}

fn describe(limits: &Value) -> String {
    let written = |key: &str| {
        let object = limits[key].as_object();
        let shown = object.into_iter().flatten().map(|(name, value)| format!("{name} {}", json_text(value)));
        shown.collect::<Vec<_>>().join(", ")
    };
    let own = match written("limits") {
        none if none.is_empty() => "none".to_owned(),
        own => own,
    };
    let in_force = match written("effectiveLimits") {
        each if limits["effectiveConcurrency"].is_null() => each,
        each => format!("{each}, concurrency {}", json_text(&limits["effectiveConcurrency"])),
    };
    fields(&[("its own", own), ("in force", in_force)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_named_is_changed() {
        let limits = json!({"fuel": 1, "timeout": "5s"}).as_object().cloned().expect("limits");
        let wishes = vec![("fuel".to_owned(), Value::Null), ("memory".to_owned(), 7.into())];
        assert_eq!(Value::Object(changed(limits, wishes)), json!({"timeout": "5s", "memory": 7}));
    }
}
