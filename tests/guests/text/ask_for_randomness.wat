;; Asks for random bytes: all there are in one call, insecure ones, or without end.

(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
(import "wasi:random/insecure@0.2.0" "get-insecure-random-bytes" (func $insecure (param i64 i32)))
(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (local $which i32)
    ;; Which of them is the digit that its data is.
    (local.set $which (i32.sub (i32.load8_u (local.get $data_at)) (i32.const 48)))
    (if (i32.eq (local.get $which) (i32.const 0))
        (then (call $random (i64.const 4294967296) (i32.const 256))))
    (if (i32.eq (local.get $which) (i32.const 1))
        (then (call $insecure (i64.const 1073741824) (i32.const 256))))
    (loop
        (call $random (i64.const 65536) (i32.const 256))
        (br 0))
    (unreachable))
