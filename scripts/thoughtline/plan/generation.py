"""What generating traces costs on a model server, and how a model is spread over GPUs so that it and its context fit.

Decoding a token reads the weights once for the whole batch, and each request's context. The roofline of a step is the larger of
bytes / bandwidth and FLOPs / peak over all GPUs of the server; what is reached of it is `Rates.generation`. The batch is what is in flight,
or what the key-value cache holds, whichever is less.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .architecture import Architecture
from .lengths import Lengths
from .rates import Gpu, Rates

USED = 0.9
"""Share of a GPU's memory that vLLM takes (its default, gpu_memory_utilization)."""
WORKSPACE = 3e9
"""Bytes of a GPU for activations, CUDA graphs and communication buffers of a server."""
IN_FLIGHT = 256
"""Requests that vLLM batches at most by default (max_num_seqs) in the releases' time."""

BOOT = 60.0
"""Seconds in which a server's processes start, graphs are captured and the first request is answered: an assumption, until a probe has measured it."""
LOADING = 2e9
"""Bytes a second at which weights are read from a parallel file system: an assumption, as BOOT."""


NEARLY = 0.9
"""Share of the most tokens for a GPU-hour with which fewer GPUs are preferred."""
ALONE = 0.3
"""Share of one GPU's memory bandwidth at which one sequence is decoded without a batch, by transformers: an assumption."""


def alone_seconds(architecture: Architecture, gpu: Gpu, tokens: float) -> float:
    """Time of so many tokens, one after the other; layers on several GPUs wait for each other."""
    return tokens * architecture.weights / (ALONE * gpu.bandwidth)


def start_seconds(architecture: Architecture) -> float:
    """Until a server answers."""
    return BOOT + architecture.weights / LOADING


@dataclass(frozen=True)
class Serving:
    """A model server: how a model is spread over GPUs."""

    architecture: Architecture
    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    """Copies of the model, which share the requests."""
    used: float = USED
    """Share of a GPU's memory that the server takes."""

    @property
    def gpus(self) -> int:
        """GPUs of the server."""
        return self.tensor * self.pipeline * self.data

    @property
    def stage(self) -> float:
        """Share of the layers that the longest stage of a pipeline has: layers are whole, so 61 over 3 are 20, 21 and 20."""
        return math.ceil(self.architecture.layers / self.pipeline) / self.architecture.layers

    @property
    def share(self) -> float:
        """Bytes of weights of a GPU, where most lie: layers and, in a pipeline's first and last stage, an embedding."""
        model = self.architecture
        embedding = model.vocabulary * model.hidden * model.weight_bytes if self.pipeline > 1 else 0.0
        return ((model.weights - embedding) * self.stage + embedding) / self.tensor

    def room(self, gpu: Gpu) -> float:
        """Bytes a GPU has left for context; negative where the weights alone do not fit."""
        return self.used * gpu.memory - WORKSPACE - self.share

    def context(self, gpu: Gpu) -> float:
        """Tokens of context that one copy of the model holds; latent context is kept by every tensor-parallel rank."""
        kept_apart = 1 if self.architecture.latent else min(self.tensor, self.architecture.kv_heads)
        return max(0.0, self.room(gpu)) * kept_apart / (self.architecture.context_bytes * self.stage)

    def batch(self, gpu: Gpu, in_flight: float, mean_context: float) -> float:
        """Requests that one copy decodes at once."""
        return max(1.0, min(in_flight / self.data, self.context(gpu) / mean_context))

    def tokens_per_second(self, gpu: Gpu, rates: Rates, in_flight: float, mean_context: float) -> float:
        """Tokens that the server decodes a second.

        Args:
            in_flight: requests at once.
            mean_context: tokens before the one that is decoded, on average.
        """
        return self.roofline(gpu, in_flight, mean_context) * rates.generation

    def roofline(self, gpu: Gpu, in_flight: float, mean_context: float) -> float:
        """Tokens a second that bandwidth and FLOPs would allow; arguments as in `tokens_per_second`."""
        model, spread = self.architecture, self.tensor * self.pipeline
        batch = self.batch(gpu, in_flight, mean_context)
        kept = self.tensor if model.latent else 1
        read = model.weights * model.read_share(batch) + batch * mean_context * model.context_bytes * kept
        step = max(read / (spread * gpu.bandwidth), batch * model.decoding(mean_context) / (spread * gpu.flops))
        return self.data * batch / step


@dataclass(frozen=True)
class GenerationRun:
    """Requests to one model."""

    serving: Serving
    requests: float
    prompt: float
    """Tokens of a prompt."""
    replies: Lengths
    in_flight: float = IN_FLIGHT

    @property
    def tokens(self) -> float:
        """Tokens that are generated."""
        return self.requests * self.replies.mean

    @property
    def mean_context(self) -> float:
        """Tokens before the one that is decoded, averaged over all decoded tokens: a long reply has many."""
        return self.prompt + self.replies.expected(lambda length: length**2) / 2 / self.replies.mean

    @property
    def flops(self) -> float:
        """FLOPs of prompts and replies."""
        model = self.serving.architecture
        return self.requests * (model.forward(self.prompt) + self.replies.mean * model.decoding(self.mean_context))

    def seconds(self, gpu: Gpu, rates: Rates) -> float:
        """Time of one server for all requests, without starting it."""
        speed = self.serving.tokens_per_second(gpu, rates, min(self.in_flight, self.requests), self.mean_context)
        prompts = (
            self.requests
            * self.serving.architecture.forward(self.prompt)
            / (rates.training * gpu.flops * self.serving.gpus)
        )
        return self.tokens / speed + prompts

    def gpu_hours(self, gpu: Gpu, rates: Rates, jobs: int = 1) -> float:
        """GPU-hours in so many jobs, each with a server of its own that must start."""
        part = GenerationRun(self.serving, self.requests / jobs, self.prompt, self.replies, self.in_flight)
        start = start_seconds(self.serving.architecture) if rates.start is None else rates.start
        return self.serving.gpus * jobs * (start + part.seconds(gpu, rates)) / 3600


def shares(architecture: Architecture, most: int) -> list[int]:
    """Numbers of GPUs up to `most` that a layer can be shared by: heads evenly, and key-value heads evenly or as whole copies (vLLM)."""
    kept = 1 if architecture.latent else architecture.kv_heads
    return [
        number
        for number in range(1, most + 1)
        if architecture.heads % number == 0 and (kept % number == 0 or number % kept == 0)
    ]


def spreads(architecture: Architecture, per_node: int, most_nodes: int) -> Iterator[Serving]:
    """Ways to spread a model, fewest GPUs first: tensor parallel within a node, pipeline parallel between nodes."""
    tensors = [number for number in shares(architecture, per_node) if number & (number - 1) == 0]
    for tensor in tensors:
        yield Serving(architecture, tensor)
    for nodes in range(2, most_nodes + 1):
        pipeline, rest = divmod(nodes * per_node, max(tensors))
        if not rest and pipeline <= architecture.layers:
            yield Serving(architecture, max(tensors), pipeline)


def holding(
    architecture: Architecture, gpu: Gpu, longest: float, most_nodes: int = 16, used: float = USED
) -> list[Serving]:
    """Ways to spread a model, fewest GPUs first, that hold it and the context of one request of `longest` tokens."""
    found = (replace(each, used=used) for each in spreads(architecture, gpu.per_node, most_nodes))
    return [each for each in found if each.context(gpu) >= longest]


def cheapest(found: list[Serving], gpu: Gpu, longest: float, in_flight: float) -> Serving | None:
    """Of `holding`, the fewest GPUs that give nearly as many tokens for a GPU-hour as any number of them; None where there are none.

    More GPUs hold the context of more requests, until `in_flight` are decoded at once; from there on they only cost. A request has a
    quarter of `longest` behind it on average, as those of DeepSeek-R1's traces have (7,030 of 32,768 tokens).
    """
    a_gpu = [each.roofline(gpu, in_flight, longest / 4) / each.gpus for each in found]
    return next((each for each, tokens in zip(found, a_gpu, strict=True) if tokens >= NEARLY * max(a_gpu)), None)


def fits(serving: Serving, gpu: Gpu, longest: float) -> str | None:
    """Why a server does not fit, or None."""
    if serving.room(gpu) < 0:
        had = (serving.used * gpu.memory - WORKSPACE) / 1e9
        each = f"each of {serving.gpus} GPUs" if serving.gpus > 1 else "one GPU"
        return f"weights take {serving.share / 1e9:.0f} GB of {each}, and {had:.0f} GB are to be had"
    held = math.floor(serving.context(gpu))
    if held < longest:
        return (
            f"beside the weights there is room for {held:,} tokens of context, and one request may have {longest:,.0f}"
        )
    return None
