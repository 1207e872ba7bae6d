;; Never gives the host room for what it asked for.
;; @realloc
(func (export "realloc") (param i32 i32 i32 i32) (result i32)
    (if (i32.gt_u (local.get 3) (i32.const 2)) (then (loop $on (br $on))))
    (i32.const 0x200000))
