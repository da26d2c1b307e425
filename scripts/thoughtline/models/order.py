"""Which rows make which step: the same global batches in the same order on any number of ranks.

A step takes the next `global_batch` rows of its epoch's permutation; micro batches are cut from them in that order and
dealt to the ranks in turn. Where the last step of an epoch does not fill every rank, fillers do: rows without a trained
token, so that no row counts twice and none is left out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .encode import IGNORED

FILLER_TOKENS = 2
"""Length of a filler: the least from which a next token could be predicted."""


def fillers(rows: int, micro_batch: int, ranks: int) -> int:
    """How many fillers an epoch of `rows` needs, so that each rank has equally many full micro batches."""
    return -rows % (micro_batch * ranks)


def filler(token: int) -> dict[str, list[int]]:
    """A row that trains nothing, with whatever columns a row can have."""
    return {"input_ids": [token] * FILLER_TOKENS, "labels": [IGNORED] * FILLER_TOKENS, "seq_lengths": [FILLER_TOKENS]}


def permutation(rows: int, seed: int, epoch: int) -> list[int]:
    """The order of an epoch's rows."""
    import torch

    return torch.randperm(rows, generator=torch.Generator().manual_seed(seed + epoch)).tolist()


def tokens_seen(lengths: Sequence[int], global_batch: int, seed: int, steps: int) -> list[int]:
    """Tokens of all rows up to and with each of the first `steps` steps."""
    found: list[int] = []
    for epoch in itertools.count():
        if len(found) >= steps:
            break
        order = permutation(len(lengths), seed, epoch)
        for first in range(0, len(order), global_batch):
            found.append(sum(lengths[row] for row in order[first : first + global_batch]))
    return list(itertools.accumulate(found[:steps]))


def steps_of(rows: int, global_batch: int, epochs: float) -> int:
    """Optimiser steps of `epochs` passes over the rows; one that was begun counts as one."""
    return math.ceil(epochs * -(-rows // global_batch))


def epochs_seen(rows: int, global_batch: int, step: int) -> float:
    """Passes over the rows after `step` steps."""
    steps = -(-rows // global_batch)
    return step // steps + step % steps * global_batch / rows


def sampler(rows: int, extra: int, seed: int, epoch: Callable[[], int]) -> Any:
    """A torch sampler of an epoch's permutation, then the indices of `extra` fillers behind the rows.

    Args:
        epoch: asked anew whenever an iteration begins, so that a resumed run is in the right epoch.
    """
    from torch.utils.data import Sampler

    class Order(Sampler):
        def __len__(self) -> int:
            return rows + extra

        def __iter__(self) -> Iterator[int]:
            return iter([*permutation(rows, seed, epoch()), *range(rows, rows + extra)])

    return Order()
