//! Calls the host without end: the number of calls is limited, whatever fuel and time are left.

use std::hint::black_box;

use innkeeper_sdk::{context, handler};

#[handler]
fn call_host_often() {
    loop {
        black_box(context::current());
    }
}
