"""Beginning from something learned: weights from a file, and which parts of a network stay as they are."""
