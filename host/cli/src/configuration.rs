//! `config`: what plugins are configured with, secrets included.

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::args::{SetConfig, ValueVerb};
use crate::client::Client;
use crate::exit::Failure;
use crate::input;
use crate::output::{Column, Output, json_text, short_time};

const COLUMNS: [Column; 3] = [
    Column::new("KEY", |entry| json_text(&entry["key"])),
    Column::new("UPDATED", |entry| short_time(&entry["updatedAt"])),
    Column::new("VALUE", value),
];

/// Every key that a tenant may sensibly have is shown.
const LIST_MAX: usize = 10_000;

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: ValueVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        ValueVerb::List => {
            let entries = client.list(&["config"], &[], LIST_MAX).await?;
            output.list(entries, &COLUMNS, "nothing is configured")?;
        }
        ValueVerb::Get { key } => {
            let entry = client.get(&["config", &key], &[]).await?;
            if entry["isSecret"] == true && !output.is_json() {
                // What stands for it must not be taken for it.
                let message =
                    format!("{key} is a secret: it can be set and deleted, and read by granted plugins only");
                return Err(Failure::Failed(anyhow!(message)));
            }
            output.answer(&entry, value)?;
        }
        ValueVerb::Set(set) => store(set, client, output).await?,
        ValueVerb::Delete { key } => {
            let answer = client.delete(&["config", &key]).await?;
            output.done(&answer, |_| format!("{key} is deleted"))?;
        }
    }
    Ok(())
}

async fn store(set: SetConfig, client: &Client, output: Output) -> Result<(), Failure> {
    let SetConfig { key, value, secret } = set;
    let value = match value {
        Some(value) => value,
        None => match input::text(&format!("value of {key}"), secret)? {
            // More likely that nobody meant to write anything.
            text if text.is_empty() => return Err(input::nothing()),
            text => text,
        },
    };
    let body = json!({"value": value, "secret": secret});
    let (is_new, entry) = client.put(&["config", &key], &[], &body).await?;
    let what = if secret { "the secret" } else { "the value" };
    let done = if is_new { "new" } else { "replaced" };
    output.done(&entry, |_| {
        format!(
            "{what} {key} is set ({done})\na plugin that is to read it needs the grant: \
             innkeeper plugin allow NAME config={key}"
        )
    })?;
    Ok(())
}

/// The value; of a secret, that it is one.
fn value(entry: &Value) -> String {
    if entry["isSecret"] == true { "(secret)".to_owned() } else { json_text(&entry["value"]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_as_one() {
        assert_eq!(value(&json!({"isSecret": true, "value": null})), "(secret)");
        assert_eq!(value(&json!({"isSecret": false, "value": "a"})), "a");
    }
}
