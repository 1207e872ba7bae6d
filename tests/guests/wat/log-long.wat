;; Logs one line of five megabytes a thousand times.
;; @main
(func (export "run") (param $batch i32) (param $sink i32) (result i32) (local $left i32)
    (local.set $left (i32.const 1000))
    (memory.fill (i32.const 0) (i32.const 0x61) (i32.const 5000000))
    (loop $on
        (call $write (i32.const 3) (i32.const 0) (i32.const 5000000))
        (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (unreachable))
