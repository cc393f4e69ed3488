//! `audit`: who changed what.

use crate::args::AuditArgs;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Column, Output, json_text, short_time};

const COLUMNS: [Column; 4] = [
    Column::new("WHEN", |entry| short_time(&entry["at"])),
    Column::new("STATUS", |entry| json_text(&entry["status"])),
    Column::new("WHAT", |entry| format!("{} {}", json_text(&entry["method"]), json_text(&entry["path"]))),
    Column::new("WHO", |entry| json_text(&entry["actor"])),
];

/// Lists the latest changes.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn list(args: &AuditArgs, client: &Client, output: Output) -> Result<(), Failure> {
    let found = client.list(&["audit"], &[], args.limit).await?;
    Ok(output.list(found, &COLUMNS, "nothing was changed")?)
}
