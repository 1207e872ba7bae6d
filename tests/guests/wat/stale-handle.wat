;; Keeps the handles of its first call and uses them in the second.
;; @main
(global $kept (mut i32) (i32.const 0))
(func (export "run") (param $batch i32) (param $sink i32) (result i32)
    (if (i32.eqz (global.get $kept)) (then
        (global.set $kept (local.get $batch))
        (memory.fill (i32.const 0x100000) (i32.const 0)
            (i32.mul (call $rows (local.get $batch)) (i32.const 4)))
        (drop (call $documents (local.get $sink) (i32.const 0) (i32.const 0x100000)
            (call $rows (local.get $batch))))
        (return (call $end (local.get $batch) (local.get $sink)))))
    ;; The numbers of handles are given again, so it is another one than it holds now.
    (drop (call $rows (i32.add (i32.add (global.get $kept) (local.get $batch)) (local.get $sink))))
    (unreachable))
