;; Publishes one event after another, whatever the host says.

(import "innkeeper:plugin/events@0.1.0" "publish" (func $publish (param i32 i32 i32 i32 i32 i32)))
(data (i32.const 600) "flood")
(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (loop
        (call $publish (i32.const 600) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
        (br 0))
    (unreachable))
