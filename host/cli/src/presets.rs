//! `preset`: named schedules.

use serde_json::{Value, json};

use crate::args::PresetVerb;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Column, Output, json_text};

const COLUMNS: [Column; 3] = [
    Column::new("NAME", |preset| json_text(&preset["name"])),
    Column::new("CRON", |preset| json_text(&preset["cron"])),
    Column::new("DESCRIPTION", |preset| json_text(&preset["description"])),
];

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: PresetVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        PresetVerb::List => {
            let mut answer = client.get(&["presets"], &[]).await?;
            let presets = match answer["items"].take() {
                Value::Array(presets) => presets,
                _ => Vec::new(),
            };
            output.list((presets, false), &COLUMNS, "no presets")?;
        }
        PresetVerb::Set(preset) => {
            let body = json!({"cron": preset.cron, "description": preset.description});
            let (is_new, answer) = client.put(&["presets", &preset.name], &[], &body).await?;
            let done = if is_new { "created" } else { "replaced" };
            output.done(&answer, |answer| format!("{done} {}", json_text(&answer["name"])))?;
        }
    }
    Ok(())
}
