"""Datasets: what a student is trained on; kept rows, deduplicated, decontaminated, mixed."""
