"""Benchmarks of the verifiers; README.md tells what each number means."""
