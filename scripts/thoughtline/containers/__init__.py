"""Container images: one an environment, built from its lock, with a digest and a bill of materials."""
