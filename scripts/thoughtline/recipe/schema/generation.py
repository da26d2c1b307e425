"""How a model is served, and how it is asked."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal

from pydantic import Field, field_validator

from ...traces.engine import OWN
from .base import Strict

PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
"""Options of vLLM that say how many GPUs serve a model: their product."""


class Sampling(Strict):
    """Sampling parameters that are sent with each request (part of a trace's identity)."""

    temperature: float = Field(ge=0, le=2, description="0 is greedy.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus.")
    top_k: int | None = Field(None, ge=1, description="Only the k most likely tokens (a vLLM extension).")
    max_tokens: int = Field(ge=1, description="Most tokens to generate, thinking included.")
    stop: list[str] = Field([], description="Stop strings.")


class Written(Strict):
    """A trace that a worked example writes anew."""

    reasoning: str = Field("", description="Its thinking.")
    response: str = Field(description="Its answer.")


class Example(Strict):
    """One worked example, shown to the model as an earlier turn."""

    LATER = frozenset({"rewrites"})

    problem: str = Field(description="As in a question.")
    choices: list[str] | None = Field(None, description="Options, for multiple choice.")
    starter_code: str | None = Field(None, description="Starter code, for function-style problems.")
    function: bool = Field(False, description="True for a function-style code problem.")
    rewrites: Written | None = Field(
        None, description="In a prompt of a run with `rewrites`: the trace that the response writes anew."
    )
    response: str = Field(description="The whole reply, <think> tags included where wanted.")


class Prompt(Strict):
    """How a question becomes chat messages."""

    system: str | None = Field(None, description="System message; none is sent without it.")
    template: str = Field(
        "{{ problem }}",
        description="Jinja template of the user message: problem, choices (list), letters, starter_code, function (bool).",
    )
    examples: list[Example] = Field([], description="Worked examples, sent as earlier turns.")


class Engine(Strict):
    """Settings of the vLLM server that can change what it writes."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="Weights and activations.")
    max_model_len: int | None = Field(None, ge=16, description="Context length to serve, prompt and reply together.")
    reasoning_parser: str | None = Field(
        None, description="vLLM reasoning parser; without it <think> tags are split here."
    )
    quantization: str | None = Field(None, description="vLLM quantisation method.")
    chunked_prefill: bool = Field(
        True, description="Off on CPU: a per-request seed crashes there when a prompt is split."
    )
    arguments: dict[str, Any] = Field(
        {},
        description="Further vLLM server options, `name: value`. Without tensor_parallel_size, pipeline_parallel_size and "
        "data_parallel_size they are chosen for the machine.",
    )

    @field_validator("arguments")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        """What vLLM would say only once a job has begun, and what it would take and the plan not see."""
        spelled: dict[str, str] = {}
        for name, given in value.items():
            known = name.replace("-", "_")
            if known in spelled:
                raise ValueError(f"{spelled[known]} and {name} are the same option; keep one of them")
            spelled[known] = name
            if name.replace("_", "-") in OWN:
                raise ValueError(f"{name} is set by the pipeline itself; leave it out")
            if (key := {"enable_chunked_prefill": "chunked_prefill"}.get(known, known)) in cls.model_fields:
                raise ValueError(f"{name} has a key of its own; give it as engine.{key}")
            if known == "gpu_memory_utilization" and not (
                isinstance(given, int | float) and not isinstance(given, bool) and 0 < given <= 1
            ):
                raise ValueError(f"{name} is a share of a GPU's memory, more than 0 and at most 1, not {given!r}")
        return value

    @field_validator("arguments")
    @classmethod
    def _sizes(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, size in value.items():
            known = name.replace("-", "_")
            if known in PARALLEL and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
                raise ValueError(f"{name} is a number of GPUs or of copies, 1 or more, not {size!r}")
            if known not in PARALLEL and (close := get_close_matches(known, PARALLEL, 1, 0.9)):
                raise ValueError(f"{name} is no option; did you mean {close[0]}?")
        return value


class Endpoint(Strict):
    """An OpenAI-compatible service."""

    url: str = Field(description="Base URL, up to and with /v1.", pattern=r"^https?://")
    model: str = Field(description="The service's own name of the model.")
    revision: str = Field("unpinned", description="What the service says of its version; recorded, not enforced.")
    key_variable: str | None = Field(None, description="Environment variable that holds the key.")
