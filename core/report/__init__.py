"""Results become something to read. Nothing is measured here."""
