;; Grows its tables until that fails, and then traps as an allocator does.

(table $a 1 funcref) (table $b 1 externref)
(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (loop (br_if 0 (i32.ne (table.grow $a (ref.null func) (i32.const 100)) (i32.const -1))))
    (loop (br_if 0 (i32.ne (table.grow $b (ref.null extern) (i32.const 100)) (i32.const -1))))
    (unreachable))
