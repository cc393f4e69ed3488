//! Prints and logs as many lines as its data says, each 100 bytes long.

use innkeeper_sdk::{Failure, handler, log};
use serde::Deserialize;

/// Such as `{"lines": 1000}`.
#[derive(Deserialize)]
struct Flood {
    lines: u32,
}

#[handler]
fn flood_log(_event: Option<&str>, flood: Flood) -> Result<u32, Failure> {
    for line in 0..flood.lines {
        println!("{line:0100}");
        log::info!("{line:0100}");
    }
    Ok(flood.lines)
}
