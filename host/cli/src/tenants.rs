//! `tenant`: creating, listing and changing tenants.

use serde_json::{Map, Value, json};

use crate::args::{Settings, TenantVerb};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Column, Output, fields, json_text, time};

const COLUMNS: [Column; 5] = [
    Column::new("ID", |tenant| json_text(&tenant["id"])),
    Column::new("STATUS", |tenant| json_text(&tenant["status"])),
    Column::optional("WEIGHT", |tenant| json_text(&tenant["weight"])),
    Column::new("RUNNING", |tenant| json_text(&tenant["running"])),
    Column::new("QUEUED", |tenant| json_text(&tenant["queuedRuns"])),
];

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: TenantVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        TenantVerb::Create { id, settings } => {
            let mut body = patch(settings);
            body["id"] = id.as_str().into();
            let tenant = client.post(&["tenants"], Some(&body)).await?;
            output.done(&tenant, |tenant| format!("created\n{}", describe(tenant)))?;
        }
        TenantVerb::List => {
            let mut answer = client.get(&["tenants"], &[]).await?;
            let tenants = match answer["items"].take() {
                Value::Array(tenants) => tenants,
                _ => Vec::new(),
            };
            output.list((tenants, false), &COLUMNS, "no tenants")?;
        }
        TenantVerb::Show { id } => {
            let tenant = match &id {
                Some(id) => client.get(&["tenants", id.as_str()], &[]).await?,
                None => client.get(&["tenant"], &[]).await?,
            };
            output.answer(&tenant, describe)?;
        }
        TenantVerb::Set { id, settings } => {
            let tenant = client.patch(&["tenants", id.as_str()], &patch(settings)).await?;
            output.done(&tenant, describe)?;
        }
        TenantVerb::Disable { id } => {
            let tenant = client.post(&["tenants", id.as_str(), "disable"], None).await?;
            output.done(&tenant, |_| format!("{id} is disabled: nothing of it runs"))?;
        }
        TenantVerb::Enable { id } => {
            let tenant = client.post(&["tenants", id.as_str(), "enable"], None).await?;
            output.done(&tenant, |_| format!("{id} is enabled"))?;
        }
        TenantVerb::Delete { id, confirm } => {
            if id != confirm {
                return Err(Failure::usage(format!(
                    "--confirm names `{confirm}`, not `{id}`: nothing is deleted"
                )));
            }
            let answer = client.delete(&["tenants", id.as_str()]).await?;
            output.done(&answer, |_| format!("{id} is deleted, with everything it owned"))?;
        }
    }
    Ok(())
}

/// What the flags name, as the server takes it; `-` is `null`, which brings back the default.
fn patch(settings: Settings) -> Value {
    let mut body = json!({});
    if let Some(weight) = settings.weight {
        body["weight"] = weight.into();
    }
    if let Some(timezone) = settings.timezone {
        body["timezone"] = if timezone == "-" { Value::Null } else { timezone.into() };
    }
    for (key, pairs) in [("quotas", settings.quotas), ("limits", settings.limits)] {
        if !pairs.is_empty() {
            body[key] = Value::Object(pairs.into_iter().collect::<Map<_, _>>());
        }
    }
    body
}

fn describe(tenant: &Value) -> String {
    let text = |key: &str| json_text(&tenant[key]);
    let pairs = |key: &str| {
        let object = tenant[key].as_object();
        let shown = object.into_iter().flatten().map(|(name, value)| format!("{name} {}", json_text(value)));
        shown.collect::<Vec<_>>().join(", ")
    };
    fields(&[
        ("id", text("id")),
        ("status", text("status")),
        ("weight", text("weight")),
        ("timezone", text("timezone")),
        ("running", text("running")),
        ("queued runs", text("queuedRuns")),
        ("stored", pairs("usage")),
        ("quotas", pairs("effectiveQuotas")),
        ("limits", pairs("effectiveLimits")),
        ("created", time(&tenant["createdAt"])),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_changed() {
        let settings = Settings {
            weight: Some(2),
            timezone: Some("-".to_owned()),
            quotas: vec![("tasks".to_owned(), 5.into()), ("plugins".to_owned(), Value::Null)],
            limits: Vec::new(),
        };
        let expected = json!({"weight": 2, "timezone": null, "quotas": {"tasks": 5, "plugins": null}});
        assert_eq!(patch(settings), expected);
        assert_eq!(patch(Settings::default()), json!({}));
    }
}
