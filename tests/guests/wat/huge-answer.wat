;; Answers a query with all of its memory.
;; @main
(func (export "embed-query") (param i32 i32) (result i32)
    (i32.store (i32.const 0x100000) (i32.const 0))
    (i32.store (i32.const 0x100004) (i32.const 0))
    (i32.store (i32.const 0x100008) (i32.const 0x500000))
    (i32.const 0x100000))
