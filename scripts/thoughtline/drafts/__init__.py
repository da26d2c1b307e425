"""Draft models: how many of their tokens a larger model takes over, and how much faster it writes so."""
