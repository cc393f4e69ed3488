//! Calls itself without end.

use innkeeper_sdk::{Failure, context, handler};

#[handler]
fn overflow_stack() -> Result<u64, Failure> {
    // Taken from the host, so that the compiler cannot tell where the recursion goes. No attempt has this
    // number.
    let end = u64::from(context::current().attempt) | 1 << 63;
    Ok(descend(0, end))
}

/// Two calls, so that no optimisation turns both into a loop; no variable on the stack in linear memory, so
/// that it is the engine's stack that overflows.
fn descend(depth: u64, end: u64) -> u64 {
    if depth == end {
        return 0;
    }
    descend(depth.wrapping_add(2), end) ^ descend(depth.wrapping_add(6), end).rotate_left(3)
}
