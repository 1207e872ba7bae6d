;; Asks for four gigabytes of random bytes.
;; @random
;; @main
(func (export "run") (param $batch i32) (param $sink i32) (result i32)
    (call $random-bytes (i32.const -1) (i32.const 0x100000))
    (call $end (local.get $batch) (local.get $sink)))
