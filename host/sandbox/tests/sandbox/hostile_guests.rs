//! Guests that mean harm.

use crate::guests::{component, component_of, encode};

/// Has four bytes of data, at both ends of 16 MiB of memory.
pub fn sparse_data() -> Vec<u8> {
    component_of(
        256,
        "",
        "",
        r#"(data (i32.const 0) "ab") (data (i32.const 16777214) "cd")"#,
        "(if (i32.ne (i32.load16_u (i32.const 16777214)) (i32.const 0x6463)) (then (unreachable))) (i32.const 16)",
    )
}

/// Waits in every way that there is: for one handle, for several, and for its turn while it computes.
pub fn wait_in_every_way() -> Vec<u8> {
    component(
        "import wasi:io/poll@0.2.0; import wasi:clocks/monotonic-clock@0.2.0;",
        r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
           (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
           (import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))"#,
        "",
        "(local $turn i32) (local $steps i32)
         (loop $again
            (call $block (call $subscribe (i64.const 200000)))
            (i32.store (i32.const 256) (call $subscribe (i64.const 300000)))
            (i32.store (i32.const 260) (call $subscribe (i64.const 100000)))
            (call $poll (i32.const 256) (i32.const 2) (i32.const 300))
            (local.set $steps (i32.const 3000000))
            (loop (br_if 0 (local.tee $steps (i32.sub (local.get $steps) (i32.const 1)))))
            (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $turn) (i32.const 8))))
         (i32.const 16)",
    )
}

/// Returns its whole memory of 16 MiB as a text: an output, or the message of a failure.
pub fn return_megabytes(is_failure: bool) -> Vec<u8> {
    let case = if is_failure { "(call $failure (i32.const 0)" } else { "(call $output" };
    component_of(256, "", "", "", &format!("{case} (i32.const 0) (i32.const 16777216))"))
}

/// Succeeds, but for `function`, which stands in for the ordinary one of its name or adds to what there is.
fn spinning(function: &str) -> Vec<u8> {
    let realloc = r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))"#;
    let realloc = if function.contains("cabi_realloc") { "" } else { realloc };
    encode(&format!(
        r#"(module
            (memory (export "memory") 2)
            {realloc} {function}
            (func (export "innkeeper:plugin/handler@0.1.0#handle") (param i32 i32 i32 i32 i32 i32) (result i32)
                (i32.const 16)))"#
    ))
}

/// Never comes back from telling where its arguments may go.
pub fn spin_in_realloc() -> Vec<u8> {
    spinning(
        "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (loop (br 0)) (unreachable))",
    )
}

/// Never comes back from clearing up after its result was read.
pub fn spin_in_post_return() -> Vec<u8> {
    spinning("(func (export \"cabi_post_innkeeper:plugin/handler@0.1.0#handle\") (param i32) (loop (br 0)))")
}

/// Asks for more memory than it gets, says so like a panic, and traps.
pub fn panic_without_memory() -> Vec<u8> {
    component(
        "import wasi:logging/logging;",
        r#"(import "wasi:logging/logging" "log" (func $log (param i32 i32 i32 i32 i32)))"#,
        r#"(data (i32.const 512) "panicked at lib.rs:1:1: no room")"#,
        "(drop (memory.grow (i32.const 60000)))
         (call $log (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 31))
         (unreachable)",
    )
}
