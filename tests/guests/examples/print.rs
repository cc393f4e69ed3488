//! Writes one line to standard output, one to standard error, and one at each level to the log.

use innkeeper_sdk::{handler, log};

#[handler]
fn print() {
    println!("to standard output");
    eprintln!("to standard error");
    log::trace!("a trace message");
    log::debug!("a debug message");
    log::info!("an info message");
    log::warn!("a warn message");
    log::error!("an error message");
    log::critical!("a critical message");
}
