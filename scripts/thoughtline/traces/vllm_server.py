"""vLLM's own API server, for its CPU build only, ready in about half the time.

`python -m thoughtline.traces.vllm_server OPTIONS` runs `python -m vllm.entrypoints.openai.api_server OPTIONS` with one
change. On CPU vLLM spawns a process for the engine and another for the worker, and each imports vLLM anew (20 s a
process), for one reason only: OpenMP's settings must stand before the worker starts. Here they stand from the
beginning (server.py sets OMP_NUM_THREADS and LD_PRELOAD), so with a single worker the engine can be forked from this
process and hold the worker itself. Options, models, kernels, thread count and texts are the same.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
from typing import Any

PR_SET_PDEATHSIG = 1


def fork_single_worker() -> None:
    """Let vLLM's CPU platform fork its engine, and keep a single worker inside it."""
    from vllm.platforms.cpu import CpuPlatform

    original = CpuPlatform.check_and_update_config

    def check_and_update_config(cls: type, vllm_config: Any) -> None:
        original(vllm_config)
        if vllm_config.parallel_config.world_size_across_dp == 1:
            vllm_config.parallel_config.distributed_executor_backend = "uni"
            os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"

    CpuPlatform.check_and_update_config = classmethod(check_and_update_config)


def die_with_parent() -> None:
    """Have the kernel end this process when its parent dies (what we fork must not outlive a kill -9)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Serve."""
    os.register_at_fork(after_in_child=die_with_parent)
    # Nothing of the imports is ever garbage: collecting among it, here and in the engine, costs seconds.
    gc.disable()
    fork_single_worker()
    from vllm.entrypoints.launchers.api_server.entry import main as serve

    gc.freeze()
    gc.enable()
    serve()


if __name__ == "__main__":
    main()
