"""Where an artifact comes from: digests of code and environment, sidecars."""
