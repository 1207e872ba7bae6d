;; Asks an address that is not public.
;; @http
;; @main
(data (i32.const 0x100100) "GETURL")
(func (export "run") (param $batch i32) (param $sink i32) (result i32) (local $left i32)
    (drop (call $documents (local.get $sink) (i32.const 0) (i32.const 0x100800)
        (call $rows (local.get $batch))))
    (local.set $left (i32.const 1))
    (loop $on
        (call $http-send (i32.const 0x100100) (i32.const 3) (i32.const 0x100103)
            (i32.const LENGTH) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0x100000))
        (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    ;; At 0 whether it is an error; the answer's body, or the code of the error.
    (if (i32.load (i32.const 0x100000))
        (then (call $write (i32.const 1) (i32.load (i32.const 0x100004))
            (i32.load (i32.const 0x100008))))
        (else (call $write (i32.const 3) (i32.load (i32.const 0x100010))
            (i32.load (i32.const 0x100014)))))
    (call $end (local.get $batch) (local.get $sink)))
