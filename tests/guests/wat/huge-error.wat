;; Fails with five megabytes of words.
;; @main
(func (export "run") (param $batch i32) (param $sink i32) (result i32)
    (drop (call $end (local.get $batch) (local.get $sink)))
    (memory.fill (i32.const 0) (i32.const 0x61) (i32.const 5000000))
    (i32.store (i32.const 0x4f0000) (i32.const 1))
    (i32.store (i32.const 0x4f0004) (i32.const 0))
    (i32.store (i32.const 0x4f0008) (i32.const 5000000))
    (i32.const 0x4f0000))
