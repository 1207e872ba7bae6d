;; Rejects the same row without end.
;; @main
(func (export "run") (param $batch i32) (param $sink i32) (result i32)
    (i32.store (i32.const 0x100000) (i32.const 0))
    (drop (call $documents (local.get $sink) (i32.const 0) (i32.const 0x100000) (i32.const 1)))
    (loop $on
        (call $reject (local.get $sink) (i32.const 0) (i32.const 32) (i32.const 60)
            (i32.const 32) (i32.const 300))
        (br $on)) (i32.const 0))
