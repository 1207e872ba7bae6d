;; Is stamped with another name than it gives itself.
;; @component
(@custom "quarry:extractor" "{\"api\": \"0.1.0\", \"name\": \"trusted\", \"version\": \"9.9.9\"}")
