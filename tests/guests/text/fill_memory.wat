;; Fills all the memory it can get, with one instruction, again and again.

(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (local $pages i32)
    (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (local.set $pages (memory.size))
    (loop
        (memory.fill (i32.const 0) (i32.const 255) (i32.mul (local.get $pages) (i32.const 65536)))
        (br 0))
    (unreachable))
