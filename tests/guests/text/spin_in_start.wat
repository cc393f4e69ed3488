;; Computes for a while before it can be called: within the limits of a trial, beyond those of a task.

(func $begin (local $left i32)
    (local.set $left (i32.const 20000000))
    (loop (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
(start $begin)
(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (i32.const 16))
