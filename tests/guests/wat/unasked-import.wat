;; Imports the clock without asking for it.
;; @clock
;; @description
{"name": "NAME", "version": "1.0.0", "inputs": [], "outputs": []}
