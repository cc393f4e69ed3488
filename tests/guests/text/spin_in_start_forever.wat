;; Computes without end before it can be called.

(func $begin (loop (br 0)))
(start $begin)
(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (i32.const 16))
