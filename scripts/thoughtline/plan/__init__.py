"""What a recipe will take on a machine before anything is submitted: tokens, FLOPs, GPU-hours, jobs, wall time, storage, money, and whether it fits."""
