;; Has a hundred megabytes, all of them padding.
