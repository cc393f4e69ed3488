//! Fills 16 MiB of memory again and again: little fuel, much time.

use std::hint::black_box;

use innkeeper_sdk::handler;

#[handler]
fn fill_memory_forever() {
    let mut memory = vec![0_u8; 16 << 20];
    let mut value = 0;
    loop {
        value = black_box(value ^ 1);
        memory.fill(value);
        black_box(&memory);
    }
}
