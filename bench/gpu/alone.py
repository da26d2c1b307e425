"""vLLM by itself, in one process, on the very requests that our client sends: the baseline of generation.py (environment generate).

`python -m bench.gpu.alone SETTINGS.json MODEL.json QUESTIONS.parquet OUT.json` answers all of them with a seed for each request, twice, and
once without seeds.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from thoughtline.common.files import read_json, write_json
from thoughtline.common.rows import QUESTIONS, read_rows
from thoughtline.traces.requests import requests_of, revision_of


def engine_arguments(engine: dict[str, Any]) -> dict[str, Any]:
    """The recipe's engine settings as arguments of vllm.LLM."""
    chosen = {name: engine[name] for name in ("dtype", "max_model_len", "quantization") if engine.get(name) is not None}
    return {**chosen, **engine["arguments"]}


def main() -> None:
    """The command."""
    settings, manifest = read_json(sys.argv[1]), Path(sys.argv[2])
    model = read_json(manifest)
    began = time.monotonic()
    from vllm import LLM, SamplingParams

    llm = LLM(model=str(manifest.resolve().parent / model["weights"]), **engine_arguments(settings["engine"]))
    found: dict[str, Any] = {"start_seconds": round(time.monotonic() - began, 1), "passes": {}}
    asked = requests_of(read_rows(sys.argv[3], QUESTIONS), settings, revision_of(settings, model))
    sampling = {name: value for name, value in settings["sampling"].items() if value not in (None, [])}
    texts: dict[str, list[str]] = {}
    # Our server is warm too when its first request comes.
    llm.chat([request.messages for request in asked[:8]], SamplingParams(max_tokens=8), use_tqdm=False)
    for label, seeded in (("seeds", True), ("seeds again", True), ("no seeds", False)):
        llm.reset_prefix_cache()
        parameters = [SamplingParams(**sampling, seed=request.seed if seeded else None) for request in asked]
        started = time.monotonic()
        answers = llm.chat([request.messages for request in asked], parameters, use_tqdm=False)
        seconds = time.monotonic() - started
        tokens = sum(len(answer.outputs[0].token_ids) for answer in answers)
        texts[label] = [answer.outputs[0].text for answer in answers]
        found["passes"][label] = {"tokens": tokens, "seconds": round(seconds, 3), "tokens_per_second": tokens / seconds}
    same = sum(one == other for one, other in zip(texts["seeds"], texts["seeds again"], strict=True))
    found["same_again"] = same / len(asked)
    found["texts"] = {request.trace_id: text for request, text in zip(asked, texts["seeds"], strict=True)}
    write_json(sys.argv[4], found)


if __name__ == "__main__":
    main()
