//! Panics, which logs the message and ends in a trap.

use innkeeper_sdk::handler;

#[handler]
fn trap() {
    panic!("this guest always panics");
}
