;; Never ends a batch.
;; @main
(func (export "run") (param i32 i32) (result i32) (loop $on (br $on)) (i32.const 0))
