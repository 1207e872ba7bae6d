;; Passes a list that is longer than its memory.
;; @main
(func (export "run") (param $batch i32) (param $sink i32) (result i32)
    (drop (call $documents (local.get $sink) (i32.const 0) (i32.const 0x100000)
        (i32.const 0x3fffffff))) (i32.const 0))
