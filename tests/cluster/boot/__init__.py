"""Brings up a real Slurm cluster on one machine, in namespaces of its own. Standard library only."""
