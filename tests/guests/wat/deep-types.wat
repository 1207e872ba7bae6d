;; Has lists of lists of lists, deeper than any type needs to be.
;; @component
(type $d0 (list u8))
DEEPER
