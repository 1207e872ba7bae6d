;; Wants four gigabytes from the beginning.
;; @memory
(memory $more 65536 65536)
