//! Computes without end and without calling the host: fuel or time must end it.

use std::hint::black_box;

use innkeeper_sdk::handler;

#[handler]
fn spin_forever() {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}
