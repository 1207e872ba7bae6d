;; Wants four gigabytes from the beginning.
;; @component
(core module $large (memory 65536))
(core instance (instantiate $large))
