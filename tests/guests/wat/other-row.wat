;; Reads the blob of a row behind those it was given.
;; @main
(func (export "run") (param $batch i32) (param $sink i32) (result i32)
    (call $cell-read (local.get $batch) (i32.const 1) (call $rows (local.get $batch))
        (i64.const 0) (i32.const 10) (i32.const 0x100000))
    (call $end (local.get $batch) (local.get $sink)))
