//! Waits for hours inside the host: only time can end it, since waiting uses no fuel.

use std::thread;
use std::time::Duration;

use innkeeper_sdk::handler;

#[handler]
#[expect(clippy::disallowed_methods, reason = "waiting inside the host is what this guest is for")]
fn sleep_forever() {
    thread::sleep(Duration::from_hours(24));
}
