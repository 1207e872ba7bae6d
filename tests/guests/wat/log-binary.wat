;; Logs bytes that are no text.
;; @main
(func (export "run") (param i32 i32) (result i32)
    (i32.store (i32.const 0x100000) (i32.const 0xfffefdfc))
    (call $write (i32.const 3) (i32.const 0x100000) (i32.const 4)) (i32.const 0))
