//! The bytes of a component on their way into the database: they are not in memory.

use std::io::Read as _;

use innkeeper_model::upload::Upload;
use rusqlite::Connection;

use crate::StoreError;

/// Bytes of a component that are written at once.
const PART_BYTES: usize = 256 << 10;

/// Writes the component into the version that was just inserted, part by part.
pub(crate) fn write(connection: &Connection, component: &Upload) -> Result<(), StoreError> {
    let row = connection.last_insert_rowid();
    let mut blob = connection.blob_open("main", "plugin_versions", "component", row, false)?;
    let mut part = vec![0; PART_BYTES];
    let mut reader = component.reader();
    let mut offset = 0;
    loop {
        let count = reader.read(&mut part).map_err(|error| StoreError::Unread(error.to_string()))?;
        if count == 0 {
            break;
        }
        blob.write_at(&part[..count], offset)?;
        offset += count;
    }
    blob.close()?;
    if offset as u64 == component.size() {
        return Ok(());
    }
    Err(StoreError::Unread(format!("{offset} of {} bytes are there", component.size())))
}
