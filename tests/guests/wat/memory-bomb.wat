;; Grows its memory until it gets no more, and then dies of it.
;; @main
(func (export "run") (param i32 i32) (result i32)
    (loop $on (br_if $on (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))
    (unreachable))
