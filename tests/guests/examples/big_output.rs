//! Gives back text of as many bytes as its data says, quotation marks not counted; 65,536 unless it says.

use innkeeper_sdk::{Failure, handler};
use serde::Deserialize;

/// Such as `{"bytes": 100000}`.
#[derive(Deserialize)]
struct Size {
    bytes: usize,
}

#[handler]
fn big_output(_event: Option<&str>, size: Option<Size>) -> Result<String, Failure> {
    Ok("x".repeat(size.map_or(64 << 10, |size| size.bytes)))
}
