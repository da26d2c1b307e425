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


def would_fit(architecture: Architecture, stage: Stage, gpu: Gpu, host: float) -> str:
    """What to change so that a stage fits: ZeRO settings at its ranks, or more ranks."""
    for factor in (1, 2, 4, 8, 16, 32):
        ranks = stage.ranks * factor
        if stage.global_batch % (stage.micro_batch * ranks):
            continue
        found = least(architecture, stage, ranks, gpu, host)
        if found:
            return words(found) + (f" on {ranks} ranks" if factor > 1 else f" fits on its {ranks} ranks")
    if stage.micro_batch > 1:
        return would_fit(architecture, stage.model_copy(update={"micro_batch": 1}), gpu, host) + ", with micro_batch 1"
    return "no ZeRO setting does; a shorter max_length, more ranks, or GPUs with more memory"


def settings_before(one: Zero, other: Zero) -> bool:
    """Whether `one` is faster than `other`: it stands before it in `settings`."""
    order = list(settings())
    return other not in order or order.index(one) < order.index(other)
