"""Greedy decoding of one sequence, by a model alone and by speculation with a smaller one (Leviathan et al. 2023, arXiv:2211.17192).

In each step the draft proposes a few tokens one after the other, the target reads all of them in one pass, takes those over that it
would have written itself, and adds one token of its own. So both ways write the same text, but for rounding.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache, PreTrainedModel


@dataclass(frozen=True)
class Speculation:
    """What one sequence took."""

    tokens: list[int]
    """Those that were written, an ending one among them."""
    proposed: int
    """Tokens that the draft proposed."""
    accepted: int
    """How many of these the target took over."""
    passes: int
    """Passes of the target, the one that reads the prompt among them."""


class Reader:
    """A model and what it has read so far of one sequence."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model, self._cache, self.read = model, DynamicCache(config=model.config), 0

    def choices(self, tokens: Sequence[int], last: int) -> list[int]:
        """Read on; the likeliest token after each of the `last` ones."""
        ids = torch.tensor([list(tokens)], device=self._model.device)
        logits = self._model(ids, past_key_values=self._cache, use_cache=True, logits_to_keep=last).logits
        self.read += len(tokens)
        return logits[0].argmax(-1).tolist()

    def forget(self, length: int) -> None:
        """Keep what was read of the first `length` tokens only."""
        if self.read > length:
            self._cache.crop(length)
            self.read = length


def propose(reader: Reader, sequence: Sequence[int], count: int, ends: Collection[int]) -> list[int]:
    """Up to `count` tokens that a model would write after `sequence`; an ending one is the last."""
    found: list[int] = []
    feed = list(sequence[reader.read :])
    while len(found) < count and not (found and found[-1] in ends):
        found += reader.choices(feed, 1)
        feed = found[-1:]
    return found


@torch.inference_mode()
def alone(target: PreTrainedModel, prompt: Sequence[int], limit: int, ends: Collection[int]) -> list[int]:
    """At most `limit` tokens after the prompt, up to and with one of `ends`."""
    return propose(Reader(target), prompt, limit, ends)


def agreed(proposals: Sequence[int], choices: Sequence[int]) -> int:
    """How many proposals are what the target would have written, up to the first that is not."""
    return next(
        (place for place, (one, other) in enumerate(zip(proposals, choices, strict=False)) if one != other),
        len(proposals),
    )


@torch.inference_mode()
def speculate(
    target: PreTrainedModel,
    draft: PreTrainedModel,
    prompt: Sequence[int],
    width: int,
    limit: int,
    ends: Collection[int],
) -> Speculation:
    """The tokens that alone() would write, with the draft's help.

    Args:
        prompt: token ids.
        width: tokens that the draft proposes in each step.
        limit: most tokens to write.
        ends: tokens that end a text.
    """
    sequence, start = list(prompt), len(prompt)
    large, small = Reader(target), Reader(draft)
    proposed = accepted = passes = 0
    while len(sequence) - start < limit and not (len(sequence) > start and sequence[-1] in ends):
        # The target adds one token in any case.
        room = min(width, limit - (len(sequence) - start) - 1)
        proposals = propose(small, sequence, room, ends)
        choices = large.choices([*sequence[large.read :], *proposals], len(proposals) + 1)
        passes += 1
        same = agreed(proposals, choices)
        taken = [*proposals[:same], choices[same]]
        if same and proposals[same - 1] in ends:
            taken.pop()
        proposed, accepted = proposed + len(proposals), accepted + same
        sequence += taken
        # The last token was read by neither: the target's cache ends with the tokens that it took over.
        large.forget(len(sequence) - 1)
        small.forget(len(sequence) - 1)
    return Speculation(sequence[start:], proposed, accepted, passes)
