"""The recipe: schema, checks, expansion, and the graph of files that follows from it."""
