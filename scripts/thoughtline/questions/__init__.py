"""Questions: prompts with ground truth, from sources through filters to shards."""
