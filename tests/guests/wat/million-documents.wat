;; Announces a million documents for one row.
;; @main
(func (export "run") (param $batch i32) (param $sink i32) (result i32)
    (i32.store (i32.const 0x100000) (i32.const 1000000))
    (drop (call $documents (local.get $sink) (i32.const 0) (i32.const 0x100000) (i32.const 1)))
    (call $end (local.get $batch) (local.get $sink)))
