"""vLLM's CPU worker for pipeline parallel models.

`--worker-cls thoughtline.traces.vllm_cpu_worker.PipelineWorker`: all stages but the first receive what the one before them
computed into buffers that vLLM makes in a dummy run, which its CPU worker leaves out where nothing is compiled
(`--enforce-eager`); the first request then ends the server by an AssertionError in sync_and_gather_intermediate_tensors.
"""

from __future__ import annotations

from typing import Any

from vllm.v1.worker.cpu_worker import CPUWorker


class PipelineWorker(CPUWorker):
    """A CPU worker that makes its buffers before the first request."""

    def compile_or_warm_up_model(self) -> Any:
        """Compile where asked, after a dummy run."""
        self.model_runner.profile_run()
        return super().compile_or_warm_up_model()
