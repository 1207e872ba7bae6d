;; Logs a line of five megabytes without end.
;; @main
(func (export "run") (param $batch i32) (param $sink i32) (result i32)
    (memory.fill (i32.const 0) (i32.const 0x61) (i32.const 5000000))
    (loop $on (call $write (i32.const 3) (i32.const 0) (i32.const 5000000)) (br $on))
    (i32.const 0))
