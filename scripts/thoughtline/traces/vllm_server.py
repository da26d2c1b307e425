"""vLLM's own API server for the CPU build, started in half the time.

`python -m thoughtline.traces.vllm_server OPTIONS` is `python -m vllm.entrypoints.openai.api_server OPTIONS`.
"""

from __future__ import annotations

import os


def main() -> None:
    """Fork."""
    from vllm.platforms.cpu import CpuPlatform

    check = CpuPlatform.check_and_update_config.__func__

    def check_and_update_config(cls: type, vllm_config: object) -> None:
        check(cls, vllm_config)
        os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
        if os.environ.get("TL_UNI"):
            vllm_config.parallel_config.distributed_executor_backend = "uni"

    CpuPlatform.check_and_update_config = classmethod(check_and_update_config)
    from vllm.entrypoints.launchers.api_server.entry import main as serve

    serve()


if __name__ == "__main__":
    main()
