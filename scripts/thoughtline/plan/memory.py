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


MOST = 8192
"""Ranks up to which another batch is sought: more than any release had."""


@dataclass(frozen=True)
class Need:
    """What a rank needs, bytes."""

    gpu: float
    host: float
    """Of its node's memory."""


def need(architecture: Architecture, stage: Stage, zero: Zero, ranks: int) -> Need:
    """Memory of a rank of a training stage under these ZeRO settings."""
    count, single = architecture.parameters, stage.precision == "float32"
    number = 2 * BF16 if single else BF16
    held = count * number / (ranks if zero.stage == 3 else 1)
    gradients = count * number / (ranks if zero.stage >= 2 else 1)
    optimizer = count * (OPTIMIZER - 4 * single) / ranks  # in float32 the weights are their own master copy
    gathered = min(count, LIVE) * number if zero.stage == 3 else 0.0
    tokens = stage.micro_batch * stage.max_length
    layer = tokens * architecture.hidden * LAYER * number / BF16
    kept = (
        tokens * architecture.hidden * number * architecture.layers
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
            on_host += size
        else:
            on_gpu += size
    return Need(on_gpu, on_host)


def misfit(found: Need, gpu: Gpu, host: float) -> str | None:
    """Why a need does not fit, or None.

    Args:
        host: memory of a node for each of its GPUs, bytes: what a job gets with a GPU.
    """
    if found.gpu > gpu.memory:
        return f"needs {found.gpu / 1e9:.0f} GB of a GPU that has {gpu.memory / 1e9:.0f}"
    if found.host > HOST * host:
        had = f"{HOST * host / 1e9:.0f} are to be had for each ({HOST:.0%} of {host / 1e9:.0f})"
        return f"offloads {found.host / 1e9:.0f} GB a GPU, and of a node's memory {had}"
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
        (each for each in settings() if misfit(need(architecture, stage, each, ranks), gpu, host) is None),
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


def fills(ranks: int, gpu: Gpu) -> bool:
    """Whether so many ranks have a node or less, or whole nodes."""
    return ranks < gpu.per_node or ranks % gpu.per_node == 0


def ranks_of(stage: Stage, gpu: Gpu, most: int) -> list[int]:
    """Numbers of ranks, ascending up to `most`, that divide the global batch evenly and fill nodes."""
    return [
        ranks
        for ranks in range(1, min(most, stage.global_batch // stage.micro_batch) + 1)
        if stage.global_batch % (stage.micro_batch * ranks) == 0 and fills(ranks, gpu)
    ]


def would_fit(architecture: Architecture, stage: Stage, gpu: Gpu, host: float, most: int) -> str:
    """What to change so that a stage fits: ZeRO settings, recomputation, smaller micro batches, other ranks, another batch, at last a shorter cutoff.

    Args:
        host: memory of a node for each of its GPUs, bytes.
        most: ranks that the machine gives a job.
    """
    can_stay = stage.ranks <= most and fills(stage.ranks, gpu)
    for other, changed in variants(stage):
        dividing = ranks_of(other, gpu, most)
        near = [stage.ranks, *(each for each in dividing if each > stage.ranks)] if can_stay else dividing[::-1]
        for ranks in near:
            if other.global_batch % (other.micro_batch * ranks) == 0 and (
                found := least(architecture, other, ranks, gpu, host)
            ):
                more = [f"ranks: {ranks}"] if ranks != stage.ranks else []
                return f"would fit: {', '.join([f'zero: {{{keys(found)}}}', *changed, *more])}"
    if words := other_batch(architecture, stage, gpu, host, most):
        return words
    *_, (other, changed) = variants(stage)
    ranks = max([*([stage.ranks] if can_stay else []), *ranks_of(other, gpu, most)], default=0)
    length = other.max_length // 2
    while ranks and length >= 8:
        shorter = other.model_copy(update={"max_length": length})
        if found := least(architecture, shorter, ranks, gpu, host):
            parts = [f"zero: {{{keys(found)}}}", *changed, f"ranks: {ranks}", f"max_length: {length}"]
            return f"would fit: {', '.join(parts)}, which cuts rows off"
        length //= 2
    return (
        f"no settings of this model fit on {most} GPUs, the most that a job gets here; "
        "a machine with more nodes a job or larger GPUs, or a smaller model"
    )


def other_batch(architecture: Architecture, stage: Stage, gpu: Gpu, host: float, most: int) -> str | None:
    """The fewest ranks with which a stage fits if its global batch is changed to one that they divide; None where none do.

    Args: as of `would_fit`.
    """
    for other, changed in variants(stage):
        for ranks in filter(lambda ranks: fills(ranks, gpu), range(1, min(most, MOST) + 1)):
            if found := least(architecture, other, ranks, gpu, host):
                share = other.micro_batch * ranks
                batch = share * max(1, round(other.global_batch / share))
                parts = [f"zero: {{{keys(found)}}}", *changed, f"ranks: {ranks}", f"global_batch: {batch}"]
                return (
                    f"would fit: {', '.join(parts)}; {ranks} is the least number of ranks that fits, and global_batch, "
                    f"now {stage.global_batch}, must be a multiple of micro_batch x ranks"
                )
    return None


def nearest_ranks(architecture: Architecture, stage: Stage, gpu: Gpu, host: float, most: int) -> int | None:
    """The ranks up to `most`, nearest to the stage's, with which some ZeRO settings fit; None where none do."""
    near = sorted(ranks_of(stage, gpu, most), key=lambda ranks: (abs(ranks - stage.ranks), -ranks))
    return next((ranks for ranks in near if least(architecture, stage, ranks, gpu, host)), None)


def keys(zero: Zero) -> str:
    """ZeRO settings as a recipe writes them."""
    return ", ".join(f"{key}: {str(value).lower()}" for key, value in zero.model_dump().items() if value is not False)


def settings_before(one: Zero, other: Zero) -> bool:
    """Whether `one` is faster than `other`: it stands before it in `settings`."""
    order = list(settings())
    return other not in order or order.index(one) < order.index(other)
