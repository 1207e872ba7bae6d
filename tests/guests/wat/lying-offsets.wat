;; Pushes texts whose offsets reach beyond their bytes.
;; @main
(func (export "run") (param $batch i32) (param $sink i32) (result i32)
    (i32.store (i32.const 0x100000) (i32.const 1))
    (drop (call $documents (local.get $sink) (i32.const 0) (i32.const 0x100000) (i32.const 1)))
    (i32.store (i32.const 0x100010) (i32.const 0))
    (i32.store (i32.const 0x100014) (i32.const 0x7fffffff))
    (call $varlen (local.get $sink) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0x100010) (i32.const 2) (i32.const 0x100000) (i32.const 4))
    (call $end (local.get $batch) (local.get $sink)))
