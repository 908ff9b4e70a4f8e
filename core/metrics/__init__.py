"""Scores of a model's answers: streaming sums that add up over batches and processes, and what they come to."""
