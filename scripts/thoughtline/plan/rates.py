"""The few numbers that no data sheet tells: how much of a machine's peak is reached. From published runs (calibration.py), or measured (probe.py)."""

from __future__ import annotations

from dataclasses import dataclass

INNER = 1.2816
"""Standard deviations to each side of the middle that hold 80 % of a normal distribution."""


@dataclass(frozen=True)
class Gpu:
    """A GPU as its data sheet has it, and how many share a node."""

    flops: float
    """Dense bfloat16 products, FLOPs a second."""
    bandwidth: float
    """Memory, bytes a second."""
    memory: float
    """Bytes."""
    per_node: int = 8


@dataclass(frozen=True)
class Rates:
    """What is reached of a machine's peak."""

    training: float
    """Share of the peak FLOPs at which the longest row of each micro batch is trained, recomputation counted as work."""
    network: float
    """Bytes a second at which a node receives weights and gradients under ZeRO-3."""
    training_spread: float
    """Standard deviation of the logarithm of measured over predicted time, training."""
    generation: float
    """Share of the roofline (memory bandwidth and FLOPs) at which tokens are decoded."""
    generation_spread: float
    """As training_spread, for generation."""
    start: float | None = None
    """Seconds until a model server answers, where that was measured; None: by generation.start_seconds."""
    source: str = "published runs"
    """Where these come from, for people."""
