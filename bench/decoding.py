"""A batch of traces on one engine, in simulated time: how long each step of decoding takes, and which traces there are.

Both are models. The time of a step is fixed + per_sequence x batch + per_token x (tokens in the cache), which is what decoding
on a GPU comes to: weights are read once a step, and each sequence's keys and values once a token. Waiting for the
cache (preemption) is left out; at 64 sequences of 8,000 tokens it holds 512,000 of the 700,000 tokens that 64 GB leave.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

PROMPT = 300
"""Tokens of a prompt."""

LONGEST = 32_768
"""Tokens at which a trace is cut off: the published protocol."""


@dataclass(frozen=True)
class Speed:
    """Seconds of a decoding step, and of an engine's start."""

    fixed: float
    per_sequence: float
    per_token: float
    start: float = 180.0


SPEEDS = {
    # Weights of a 7B in bfloat16 (15 GB) at 1.6 TB/s and 4 ms of the host's work; 0.08 ms of arithmetic a sequence; 56 kB of
    # keys and values a token (28 layers, 4 heads of 128, both in 2 bytes) at 1.3 TB/s.
    "roofline": Speed(14e-3, 0.08e-3, 44e-9),
    # What explains the published hours: 10.2 GPU-hours on one A100 and 10.6 on eight, so tokens a second hardly depend on
    # the batch; 10.2 hours over this workload's tokens are 2.4 ms each.
    "fitted": Speed(10e-3, 2.4e-3, 0.0),
}

# Reasoning tokens of R1 over 140,075 mathematics questions (OpenThoughts): median, p90, the share above 16,384 (8.05 %), p99,
# the share above 32,768 (0.025 %) and the maximum are published; the shortest is chosen so that the mean is the published 7,030.
QUANTILES = np.array([0, 0.5, 0.9, 0.9195, 0.99, 0.99975, 1])
TOKENS = np.array([975, 5_517, 14_952, 16_384, 22_191, 32_768, 51_504], dtype=float)


@dataclass(frozen=True)
class Benchmark:
    """Questions, samples of each, and how long its traces are in parts of the published distribution."""

    name: str
    questions: int
    samples: int
    factor: float


BENCHMARKS = (
    # The six sets of OpenThinker's evaluation with their numbers of questions and runs. The factors are our assumption.
    Benchmark("AIME24", 30, 5, 2.0),
    Benchmark("AIME25-I", 15, 5, 2.0),
    Benchmark("AMC23", 40, 5, 1.3),
    Benchmark("MATH500", 500, 1, 0.7),
    Benchmark("GPQA-D", 198, 1, 1.1),
    Benchmark("LCBv2", 511, 1, 1.5),
)


@dataclass(frozen=True)
class Traces:
    """Arrays of one entry a trace."""

    tokens: np.ndarray
    expected: np.ndarray
    """What is known of the length beforehand from other traces of the same question."""
    benchmark: np.ndarray
    sample: np.ndarray
    shard: np.ndarray
    """Hash partition of the question."""
    even: np.ndarray
    """The question's number modulo the shards: shards of equal size."""


def lengths(normal: np.ndarray) -> np.ndarray:
    """Tokens of the published distribution for standard normal values."""
    uniform = np.array([NormalDist().cdf(float(each)) for each in normal])
    return np.exp(np.interp(uniform, QUANTILES, np.log(TOKENS)))


def evaluation(seed: int, shards: int, known: float) -> Traces:
    """The traces of one evaluation.

    Args:
        seed: of lengths and hash partitions.
        shards: how many.
        known: 0 .. 1, the share of the variance of log lengths that the question explains: what earlier traces tell.
    """
    random = np.random.default_rng(seed)
    parts: list[list[np.ndarray]] = []
    for number, each in enumerate(BENCHMARKS):
        question = random.standard_normal(each.questions)
        shard = random.integers(shards, size=each.questions)
        for sample in range(each.samples):
            noise = random.standard_normal(each.questions)
            tokens = lengths(np.sqrt(known) * question + np.sqrt(1 - known) * noise) * each.factor
            expected = lengths(np.sqrt(known) * question) * each.factor
            same = np.ones(each.questions, int)
            parts.append(
                [
                    np.minimum(tokens, LONGEST).astype(int),
                    expected,
                    number * same,
                    sample * same,
                    shard,
                    np.arange(each.questions) % shards,
                ]
            )
    return Traces(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _empty() -> np.ndarray:
    return np.empty(0, int)


@dataclass
class Engine:
    """What runs on one engine; time passes from one end of a trace to the next."""

    speed: Speed
    traces: np.ndarray = field(default_factory=_empty)
    left: np.ndarray = field(default_factory=_empty)
    context: np.ndarray = field(default_factory=_empty)

    def add(self, traces: list[int], tokens: np.ndarray) -> None:
        """Start traces."""
        self.traces = np.concatenate([self.traces, np.array(traces, int)])
        self.left = np.concatenate([self.left, tokens[traces]])
        self.context = np.concatenate([self.context, np.full(len(traces), PROMPT)])

    def until_next(self) -> float:
        """Seconds until the next trace ends."""
        steps, batch = int(self.left.min()), len(self.left)
        cached = steps * float(self.context.sum()) + batch * steps * (steps - 1) / 2
        return steps * (self.speed.fixed + self.speed.per_sequence * batch) + self.speed.per_token * cached

    def advance(self) -> np.ndarray:
        """Go to the next end; returns the traces that ended."""
        steps = self.left.min()
        self.left, self.context = self.left - steps, self.context + steps
        over = self.left <= 0
        ended = self.traces[over]
        self.traces, self.left, self.context = self.traces[~over], self.left[~over], self.context[~over]
        return ended
