"""`ft tune`: a search for good settings, by the score on validation."""
