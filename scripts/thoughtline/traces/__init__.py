"""Raw generations of a model on questions."""
