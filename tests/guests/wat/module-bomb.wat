;; Is made of two hundred instances with a table each.
;; @component
(core module $small (table 1 funcref))
INSTANCES
