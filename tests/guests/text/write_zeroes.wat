;; Prints four gigabytes of zeroes in one call, at once or as it is taken.

(import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
(import "wasi:io/streams@0.2.0" "[method]output-stream.write-zeroes" (func $zeroes (param i32 i64 i32)))
(import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-zeroes-and-flush" (func $print_zeroes (param i32 i64 i32)))
(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (local $which i32)
    ;; Which of them is the digit that its data is.
    (local.set $which (i32.sub (i32.load8_u (local.get $data_at)) (i32.const 48)))
    (if (local.get $which)
        (then (call $print_zeroes (call $stdout) (i64.const 4294967296) (i32.const 256)))
        (else (call $zeroes (call $stdout) (i64.const 4294967296) (i32.const 256))))
    (i32.const 16))
