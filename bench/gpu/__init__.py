"""What only a GPU can show: our client against vLLM alone, and training by the pipeline's own command (docs/gpu.md)."""
