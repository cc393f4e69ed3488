//! `kv`: looking at and changing what plugins keep.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::args::{KeyValueVerb, SetValue};
use crate::client::Client;
use crate::exit::Failure;
use crate::input;
use crate::output::{Column, Output, bytes, json_text, print, printable};

const BUCKETS: [Column; 3] = [
    Column::new("BUCKET", |bucket| json_text(&bucket["bucket"])),
    Column::new("KEYS", |bucket| json_text(&bucket["keys"])),
    Column::new("SIZE", |bucket| size(&bucket["bytes"])),
];

const KEYS: [Column; 2] =
    [Column::new("SIZE", |key| size(&key["size"])), Column::new("KEY", |key| json_text(&key["key"]))];

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: KeyValueVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        KeyValueVerb::Buckets => {
            let mut answer = client.get(&["kv"], &[]).await?;
            let Value::Array(buckets) = answer["items"].take() else { return Ok(()) };
            output.list((buckets, false), &BUCKETS, "no buckets")?;
        }
        KeyValueVerb::List(list) => {
            let filter = [("prefix", list.prefix)];
            let keys = client.list(&["kv", &list.bucket], &filter, list.limit).await?;
            output.list(keys, &KEYS, "no keys")?;
        }
        KeyValueVerb::Get { bucket, key } => {
            let value = client.bytes(&["kv", &bucket, &key]).await?;
            show(&bucket, &key, &value, output)?;
        }
        KeyValueVerb::Set(set) => store(set, client, output).await?,
        KeyValueVerb::Delete { bucket, key } => {
            let answer = client.delete(&["kv", &bucket, &key]).await?;
            output.done(&answer, |_| format!("{key} is deleted from {bucket}"))?;
        }
    }
    Ok(())
}

async fn store(set: SetValue, client: &Client, output: Output) -> Result<(), Failure> {
    let SetValue { bucket, key, value, file } = set;
    let value = match (value, file) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(file)) => std::fs::read(&file)
            .with_context(|| format!("cannot read {}", file.display()))
            .map_err(Failure::Usage)?,
        (None, None) => match input::bytes()? {
            bytes if bytes.is_empty() => return Err(input::nothing()),
            bytes => bytes,
        },
    };
    let bytes = value.len();
    let is_new = client.put_bytes(&["kv", &bucket, &key], value).await?;
    let answer = json!({"bucket": bucket, "key": key, "size": bytes, "isNew": is_new});
    let done = if is_new { "new" } else { "replaced" };
    output.done(&answer, |answer| format!("{key} is set in {bucket} ({}, {done})", size(&answer["size"])))?;
    Ok(())
}

/// Prints a value as it is, except that a terminal is not told what to do by it.
fn show(bucket: &str, key: &str, value: &[u8], output: Output) -> Result<(), Failure> {
    if output.is_json() {
        let text = std::str::from_utf8(value)
            .map_err(|_| Failure::usage("the value is not text: leave out --json to get its bytes"))?;
        output.answer(&json!({"bucket": bucket, "key": key, "value": text}), |_| String::new())?;
    } else if std::io::stdout().is_terminal() {
        print(&format!("{}\n", printable(&String::from_utf8_lossy(value))))?;
    } else {
        let written = std::io::stdout().lock().write_all(value);
        written.context("cannot write to standard output")?;
    }
    Ok(())
}

fn size(value: &Value) -> String {
    value.as_u64().map_or_else(String::new, bytes)
}
