"""Scores: verdicts of a model on a benchmark, summed up with intervals."""
