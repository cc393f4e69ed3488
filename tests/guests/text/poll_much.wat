;; Waits for one handle named a million times over, or, without end, for one that is ready named as often as may be.

(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
(import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
(memory (export "memory") 80)
(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (local $which i32) (local $at i32) (local $count i32) (local $handle i32)
    ;; Which of them is the digit that its data is.
    (local.set $which (i32.sub (i32.load8_u (local.get $data_at)) (i32.const 48)))
    (local.set $handle (call $subscribe (select (i64.const 3600000000000) (i64.const 1) (i32.eqz (local.get $which)))))
    (local.set $count (select (i32.const 1000000) (i32.const 1000) (i32.eqz (local.get $which))))
    (local.set $at (i32.const 131072))
    (loop
        (i32.store (local.get $at) (local.get $handle))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br_if 0 (i32.lt_u (local.get $at) (i32.add (i32.const 131072) (i32.mul (local.get $count) (i32.const 4))))))
    (loop
        (call $poll (i32.const 131072) (local.get $count) (i32.const 256))
        (br 0))
    (unreachable))
