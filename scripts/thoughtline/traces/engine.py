"""From a model's engine settings to vLLM's command line: the part of serving that can change texts."""

from __future__ import annotations

from typing import Any

from ..common.canonical import canonical_json
from ..common.errors import UserError

OWN = (
    *("model", "served-model-name", "host", "port", "headless"),
    *("nnodes", "node-rank", "master-addr", "master-port"),
)
"""vLLM options that we set ourselves."""

CPU_DEFAULTS = {"enforce_eager": True, "block_size": 32}
"""For vLLM's CPU build, unless engine.arguments says otherwise. Compiling costs minutes. Prompts share whole blocks only,
so vLLM's 128 tokens a block there let few-shot prompts of 577 tokens share 80 % of their tokens, 32 let them share 93 %."""


CPU_PIPELINE = {"worker_cls": "thoughtline.traces.vllm_cpu_worker.PipelineWorker"}
"""For pipeline parallel models on vLLM's CPU build, likewise."""


def option(name: str, value: Any) -> list[str]:
    """One vLLM option: True -> --name, False -> --no-name, None -> nothing, objects -> their JSON.

    >>> option("max_num_seqs", 8)
    ['--max-num-seqs', '8']
    """
    flag = name.replace("_", "-")
    if flag in OWN:
        raise UserError(f"engine.arguments.{name}", "is set by the pipeline itself", "leave it out")
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    if isinstance(value, list):
        return [f"--{flag}", *map(str, value)]
    return [f"--{flag}", canonical_json(value) if isinstance(value, dict) else str(value)]


def engine_options(engine: dict[str, Any], on_cpu: bool) -> list[str]:
    """vLLM options of the recipe's engine settings, the same list for the same settings.

    Without chunked prefill a batch must hold a whole prompt.
    """
    arguments = dict(engine.get("arguments") or {})
    known = {name.replace("_", "-") for name in arguments}
    found = option("dtype", engine.get("dtype") or "auto")
    for name in ("max_model_len", "reasoning_parser", "quantization"):
        found += option(name, engine.get(name))
    if engine.get("chunked_prefill") is False:
        found += option("enable_chunked_prefill", False)
        if "max-num-batched-tokens" not in known:
            found += option("max_num_batched_tokens", max(8192, engine.get("max_model_len") or 0))
    stages = int(arguments.get("pipeline_parallel_size") or arguments.get("pipeline-parallel-size") or 1)
    for name, value in (CPU_DEFAULTS | (CPU_PIPELINE if stages > 1 else {})).items() if on_cpu else ():
        if name.replace("_", "-") not in known:
            found += option(name, value)
    for name in sorted(arguments):
        found += option(name, arguments[name])
    return found


def with_sizes(engine: dict[str, Any], tensor: int | None, pipeline: int | None) -> dict[str, Any]:
    """Engine settings with parallel sizes that were chosen for the machine (plan/layout.py), where the recipe gives none.

    They are no part of the recipe's settings, so not of a trace's identity.

    >>> with_sizes({"arguments": {"max_num_seqs": 8}}, 4, None)
    {'arguments': {'max_num_seqs': 8, 'tensor_parallel_size': 4}}
    """
    chosen = {"tensor_parallel_size": tensor, "pipeline_parallel_size": pipeline}
    arguments = {**(engine.get("arguments") or {}), **{name: size for name, size in chosen.items() if size}}
    return {**engine, "arguments": arguments} if arguments else engine


def node_options(engine: dict[str, Any], nodes: int) -> list[str]:
    """vLLM options of a server whose tensor and pipeline parallel workers are spread evenly over `nodes` nodes.

    `{node_rank}`, `{first_node}` and `{master_port}` stand for what is known on the nodes only (machines.launch, keeper.py).

    Raises:
        UserError: the engine's parallel sizes cannot be spread so.
    """
    arguments = {name.replace("-", "_"): value for name, value in (engine.get("arguments") or {}).items()}
    sizes = {name: int(arguments.get(name) or 1) for name in ("tensor_parallel_size", "pipeline_parallel_size")}
    workers = sizes["tensor_parallel_size"] * sizes["pipeline_parallel_size"]
    if workers % nodes:
        raise UserError(
            "engine.arguments",
            f"{' x '.join(f'{name} {size}' for name, size in sizes.items())} = {workers} workers cannot be shared evenly by "
            f"{nodes} nodes",
            "commonly the tensor parallel size is the GPUs of a node, the pipeline parallel size the number of nodes",
        )
    meet = ["--node-rank", "{node_rank}", "--master-addr", "{first_node}", "--master-port", "{master_port}"]
    return ["--nnodes", str(nodes), *meet, "--distributed-executor-backend", "mp"]


def revision_text(revision: str, engine: dict[str, Any]) -> str:
    """The `revision` of trace ids: canonical JSON {"engine", "revision"}, since both decide what is written."""
    return canonical_json({"revision": revision, "engine": engine})
