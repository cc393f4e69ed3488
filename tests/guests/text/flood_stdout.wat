;; Prints without end, as much in each call as it may.

(import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
(import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $print (param i32 i32 i32 i32)))
(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (local $stream i32)
    (local.set $stream (call $stdout))
    (loop
        (call $print (local.get $stream) (i32.const 8192) (i32.const 4096) (i32.const 256))
        (br 0))
    (unreachable))
