;; Wants a table of ten million from the beginning.
;; @memory
(table 10000000 funcref)
