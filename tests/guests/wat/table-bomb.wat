;; Grows a table until it gets no more, and then dies of it.
;; @main
(table $t 1 funcref)
(func (export "run") (param i32 i32) (result i32)
    (loop $on (br_if $on
        (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
    (unreachable))
