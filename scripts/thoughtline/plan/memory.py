"""Whether a training stage fits into GPUs and nodes, and which ZeRO settings would.

Bytes a parameter in mixed precision with AdamW (Rajbhandari et al. 2020, ZeRO, https://arxiv.org/abs/1910.02054): weights 2, gradients 2, and
optimiser state 12 (float32 weights, two moments).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..recipe.schema.training import Stage, Zero
from .architecture import BF16, Architecture
from .rates import Gpu

OPTIMIZER = 12
"""Bytes a parameter."""
LIVE = 1e9
"""Parameters that stage 3 keeps gathered (DeepSpeed's default, stage3_max_live_parameters)."""
LAYER = 34
"""Bytes a token and hidden unit that a layer's activations take in bfloat16, without the attention matrix (Korthikanti et al. 2022,
https://arxiv.org/abs/2205.05198)."""
RESERVED = 3e9
"""Bytes of a GPU for the context of CUDA and NCCL, for logits (TRL's fused head makes them a chunk at a time), and for what is lost between
blocks."""
HOST = 0.8
"""Share of a node's memory that offloading may take."""


@dataclass(frozen=True)
class Need:
    """What a rank and a node need, bytes."""

    gpu: float
    host: float


def need(architecture: Architecture, stage: Stage, zero: Zero, ranks: int, per_node: int) -> Need:
    """Memory of a training stage under these ZeRO settings."""
    count = architecture.parameters
    held = count * BF16 / (ranks if zero.stage == 3 else 1)
    gradients = count * BF16 / (ranks if zero.stage >= 2 else 1)
    optimizer = count * OPTIMIZER / ranks
    gathered = min(count, LIVE) * BF16 if zero.stage == 3 else 0.0
    tokens = stage.micro_batch * stage.max_length
    layer = tokens * architecture.hidden * LAYER
    kept = (
        tokens * architecture.hidden * BF16 * architecture.layers
        if stage.gradient_checkpointing
        else layer * architecture.layers
    )
    on_gpu = gathered + kept + layer + RESERVED
    on_host = 0.0
    for size, offloaded in (
        (held, zero.offload_parameters),
        (gradients, zero.offload_optimizer),
        (optimizer, zero.offload_optimizer),
    ):
        if offloaded:
            on_host += size * min(ranks, per_node)
        else:
            on_gpu += size
    return Need(on_gpu, on_host)


def misfit(found: Need, gpu: Gpu, host: float) -> str | None:
    """Why a need does not fit, or None.

    Args:
        host: memory of a node, bytes.
    """
    if found.gpu > gpu.memory:
        return f"needs {found.gpu / 1e9:.0f} GB of a GPU that has {gpu.memory / 1e9:.0f}"
    if found.host > HOST * host:
        return f"offloads {found.host / 1e9:.0f} GB to a node's memory of {host / 1e9:.0f}"
    return None


def settings() -> Iterator[Zero]:
    """ZeRO settings, the fastest first: each needs less of the GPU than the one before."""
    yield Zero(stage=1)
    yield Zero(stage=2)
    yield Zero(stage=3)
    yield Zero(stage=3, offload_optimizer=True)
    yield Zero(stage=3, offload_optimizer=True, offload_parameters=True)


def least(architecture: Architecture, stage: Stage, ranks: int, gpu: Gpu, host: float) -> Zero | None:
    """The fastest ZeRO settings that fit; None where none do."""
    return next(
        (
            each
            for each in settings()
            if misfit(need(architecture, stage, each, ranks, gpu.per_node), gpu, host) is None
        ),
        None,
    )


def words(zero: Zero) -> str:
    """ZeRO settings for people."""
    parts = [
        name for name, on in (("optimiser", zero.offload_optimizer), ("parameters", zero.offload_parameters)) if on
    ]
    return f"ZeRO-{zero.stage}" + (f", {' and '.join(parts)} offloaded" if parts else "")


def variants(stage: Stage) -> Iterator[tuple[Stage, list[str]]]:
    """A stage, and with less and less memory what it computes alike: (stage, what was changed)."""
    changed: list[str] = []
    yield stage, changed
    for key, value in (("gradient_checkpointing", True), ("micro_batch", 1)):
        if getattr(stage, key) != value:
            stage, changed = stage.model_copy(update={key: value}), [*changed, f"{key}: {str(value).lower()}"]
            yield stage, changed


def would_fit(architecture: Architecture, stage: Stage, gpu: Gpu, host: float, most: int | None = None) -> str:
    """What to change so that a stage fits: ZeRO settings at its ranks, recomputation, smaller micro batches, or more ranks.

    Args:
        host: memory of a node, bytes.
        most: ranks that the machine gives a job; None for any number.
    """
    for factor in (1, 2, 4, 8, 16, 32):
        for other, changed in variants(stage):
            ranks = stage.ranks * factor
            if other.global_batch % (other.micro_batch * ranks) or (most and ranks > most):
                continue
            if found := least(architecture, other, ranks, gpu, host):
                more = [f"ranks: {ranks}"] if factor > 1 else []
                return f"would fit: {', '.join([f'zero: {{{keys(found)}}}', *changed, *more])}"
    return "no ZeRO settings fit: give a shorter max_length, more ranks (global_batch a multiple of them), or GPUs with more memory"


def most_ranks(architecture: Architecture, stage: Stage, gpu: Gpu, host: float, most: int) -> int | None:
    """The most ranks up to `most` that divide the global batch evenly, fill nodes, and fit with some ZeRO settings; None where none do."""
    for ranks in range(min(most, stage.global_batch // stage.micro_batch), 0, -1):
        whole = ranks < gpu.per_node or ranks % gpu.per_node == 0
        even = stage.global_batch % (stage.micro_batch * ranks) == 0
        if whole and even and least(architecture, stage, ranks, gpu, host):
            return ranks
    return None


def keys(zero: Zero) -> str:
    """ZeRO settings as a recipe writes them."""
    return ", ".join(f"{key}: {str(value).lower()}" for key, value in zero.model_dump().items() if value is not False)


def settings_before(one: Zero, other: Zero) -> bool:
    """Whether `one` is faster than `other`: it stands before it in `settings`."""
    order = list(settings())
    return other not in order or order.index(one) < order.index(other)
