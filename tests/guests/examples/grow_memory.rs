//! Takes memory and writes to it, a mebibyte at a time, until the host refuses; the allocator then ends it
//! with a trap.

use std::hint::black_box;

use innkeeper_sdk::handler;

#[handler]
fn grow_memory() {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1 << 20]));
    }
}
