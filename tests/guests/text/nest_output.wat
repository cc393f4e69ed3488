;; Returns JSON that is thirty thousand lists deep.

(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (memory.fill (i32.const 8192) (i32.const 91) (i32.const 30000))
    (memory.fill (i32.const 38192) (i32.const 93) (i32.const 30000))
    (call $output (i32.const 8192) (i32.const 60000)))
