;; Succeeds, and never comes back from clearing up after its result was read.

(func (export "cabi_post_innkeeper:plugin/handler@0.1.0#handle") (param i32) (loop (br 0)))
(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (i32.const 16))
