;; Carries fifty megabytes of sections that the host reads.
