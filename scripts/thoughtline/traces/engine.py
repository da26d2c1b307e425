"""From a model's engine settings to vLLM's command line: the part of serving that can change texts."""

from __future__ import annotations

from typing import Any

from ..common.canonical import canonical_json
from ..common.errors import UserError

OWN = ("model", "served-model-name", "host", "port")
"""vLLM options that we set ourselves."""

CPU_DEFAULTS = {"enforce_eager": True, "block_size": 32}
"""For vLLM's CPU build, unless engine.arguments says otherwise. Compiling costs minutes. Prompts share whole blocks only,
so vLLM's 128 tokens a block there let few-shot prompts of 577 tokens share 80 % of their tokens, 32 let them share 93 %."""


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
    for name, value in CPU_DEFAULTS.items() if on_cpu else ():
        if name.replace("_", "-") not in known:
            found += option(name, value)
    for name in sorted(arguments):
        found += option(name, arguments[name])
    return found


def revision_text(revision: str, engine: dict[str, Any]) -> str:
    """The `revision` of trace ids: canonical JSON {"engine", "revision"}, since both decide what is written."""
    return canonical_json({"revision": revision, "engine": engine})
