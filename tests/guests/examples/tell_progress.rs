//! Says how far it is, twice at once, and then waits for hours.

use std::thread;
use std::time::Duration;

use innkeeper_sdk::{context, handler};

#[handler]
#[expect(clippy::disallowed_methods, reason = "waiting inside the host is what this guest is for")]
fn tell_progress() {
    context::progress(0.25, "reading");
    context::progress(0.5, "writing to \u{1b}[31mAda");
    thread::sleep(Duration::from_hours(24));
}
