;; Never gets past the start function of a module.
;; @memory
(func $spin (loop $on (br $on)))
(start $spin)
