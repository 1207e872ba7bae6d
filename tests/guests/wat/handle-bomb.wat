;; Makes handles of a resource of its own without end.
;; @component
(type $own (resource (rep i32)))
(core func $new (canon resource.new $own))
;; @given
(export "new" (func $new))
;; @imports
(import "h" "new" (func $new (param i32) (result i32)))
;; @main
(func (export "run") (param i32 i32) (result i32)
    (loop $on (drop (call $new (i32.const 1))) (br $on)) (i32.const 0))
