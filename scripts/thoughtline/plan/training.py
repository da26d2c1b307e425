"""What a training stage costs.

A step is a number of micro batches, one after the other. Under ZeRO-3 all ranks go through the layers together, since each layer's weights
are gathered from all of them: a micro batch takes as long as its longest row on any rank. So with rows as they come (no packing) the time
of a micro batch is that of the longest of ranks x micro_batch rows, and with packing that of a full sequence.

    seconds of a micro batch = FLOPs of the longest / (utilisation x peak) + bytes that a node receives / network
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .architecture import BF16, Architecture
from .lengths import Lengths
from .rates import Gpu, Rates

FILLED = 0.97
"""Share of a packed sequence that rows fill (bin packing by best fit of rows that are a third of it; what is left is padding)."""


OPTIMIZER = 12
"""Bytes a parameter of the optimiser's state in a checkpoint: float32 weights and two moments, whatever the precision."""
CHECKPOINTS = 2
"""Checkpoints that are left when one more has been written."""


@dataclass(frozen=True)
class TrainingRun:
    """A training stage, as far as its cost depends on it."""

    architecture: Architecture
    rows: int
    lengths: Lengths
    """Of a whole row, prompt and reply, before the cut."""
    epochs: float
    max_length: int
    global_batch: int
    micro_batch: int
    ranks: int
    packing: bool = False
    recompute: bool = True
    """Gradient checkpointing: the forward pass is done twice."""
    zero: int = 3
    masked: bool = False
    """Rows of a packed sequence are kept apart by a mask, as in our training (PyTorch's attention); releases had kernels that skip."""

    @property
    def cut(self) -> Lengths:
        """Lengths as trained."""
        return self.lengths.cut(self.max_length)

    @property
    def tokens(self) -> float:
        """Tokens that are trained on, all epochs, without padding."""
        return self.rows * self.epochs * self.cut.mean

    @property
    def sequences(self) -> float:
        """What an epoch's micro batches hold: rows, or packed sequences."""
        return self.rows * self.cut.mean / (FILLED * self.max_length) if self.packing else self.rows

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return max(1, round(self.epochs * math.ceil(self.sequences / self.global_batch)))

    @property
    def micro_steps(self) -> int:
        """Micro batches that each rank goes through."""
        return self.steps * max(1, round(self.global_batch / (self.micro_batch * self.ranks)))

    @property
    def passes(self) -> int:
        """Work of a training step in forward passes: forward, backward (two), and the forward pass again where it is recomputed."""
        return 4 if self.recompute else 3

    @property
    def flops(self) -> float:
        """FLOPs that training needs: forward and backward over each row, nothing recomputed, no padding."""
        return 3 * self.rows * self.epochs * self.cut.expected(self.architecture.forward)

    @property
    def slowest(self) -> float:
        """FLOPs of one rank in a micro batch, where all wait for the longest row."""
        forward = self.architecture.forward
        if self.packing and self.masked:
            # The sequences of a micro batch are one under one mask.
            length = self.micro_batch * self.max_length
            return self.passes * self.architecture.masked(length, FILLED * length)
        if self.packing:
            # Attention stays within rows.
            rows = FILLED * self.max_length / self.cut.mean
            return self.passes * self.micro_batch * rows * self.cut.expected(forward)
        width = self.micro_batch
        return self.passes * width * self.cut.expected(forward, longest_of=self.ranks * self.micro_batch)

    def received(self, per_node: int) -> float:
        """Bytes that a node receives from others in a micro batch: weights forward and backward, and gradients (stage 3); gradients alone below."""
        nodes = math.ceil(self.ranks / per_node)
        volumes = 3 if self.zero == 3 else 1
        return volumes * BF16 * self.architecture.parameters * (nodes - 1) / nodes

    def seconds(self, gpu: Gpu, rates: Rates) -> float:
        """Wall time of the steps."""
        each = self.slowest / (rates.training * gpu.flops) + self.received(gpu.per_node) / rates.network
        return self.micro_steps * each

    def gpu_hours(self, gpu: Gpu, rates: Rates) -> float:
        """GPU-hours of the steps."""
        return self.ranks * self.seconds(gpu, rates) / 3600


def working_bytes(run: TrainingRun, weights: float, written: int) -> float:
    """The most that a training has on disk at once beside its model.

    That is when a checkpoint is written before the oldest is deleted, or at the end, when the weights lie in the work folder too. Below
    ZeRO-3 a checkpoint has the weights beside the optimiser's state.

    Args:
        weights: bytes of the model.
        written: checkpoints in all.
    """
    checkpoint = OPTIMIZER * run.architecture.parameters + (weights if run.zero < 3 else 0.0)
    return max(min(CHECKPOINTS + 1, written) * checkpoint, min(CHECKPOINTS, written) * checkpoint + weights)
