;; Returns what is no result: one outside its memory, one of a case that is none, a text that is none.

(data (i32.const 600) "\ff\fe\c0")
(func (export "handle")
    (param $event i32) (param $event_at i32) (param $event_bytes i32)
    (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
    (local $which i32)
    ;; Which of them is the digit that its data is.
    (local.set $which (i32.sub (i32.load8_u (local.get $data_at)) (i32.const 48)))
    (block $text_outside (block $no_text (block $no_case (block $unaligned (block $outside
        (br_table $outside $unaligned $no_case $no_text $text_outside (local.get $which)))
        (return (i32.const -8)))
        (return (i32.const 17)))
        (i32.store8 (i32.const 16) (i32.const 9))
        (return (i32.const 16)))
        (return (call $output (i32.const 600) (i32.const 3))))
    (call $output (i32.const 131000) (i32.const 1000)))
