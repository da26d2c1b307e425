"""How models are scored, and what of it is shown."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from .base import Name, Strict
from .generation import Sampling
from .questions import QuestionSet

MIN_VOTES = 3
"""Fewest answers a question that have a majority vote, as in scores/score.py."""


class Evaluation(Strict):
    """How a model is asked on benchmarks."""

    samples: int = Field(1, ge=1, le=1024, description="Runs a question (k).")
    sampling: Sampling = Field(description="Sampling parameters.")
    prompt: Name = Field(description="Key of `prompts`.")


class Benchmark(QuestionSet):
    """A held-out question set; keys left out follow `evaluation` and `verdicts`."""

    samples: int | None = Field(None, ge=1, le=1024, description="Runs a question; default: evaluation.samples.")
    sampling: Sampling | None = Field(None, description="Default: evaluation.sampling.")
    prompt: Name | None = Field(None, description="Default: evaluation.prompt.")


class Comparison(Strict):
    """Two models, or groups of seeds, whose difference the report shows."""

    title: str = Field(description="What the difference means.")
    a: Name = Field(description="Model or group.")
    b: Name = Field(description="Model or group; the difference is b - a.")


class Targets(Strict):
    """What `snakemake` makes by default."""

    evaluate: list[Name] = Field(description="Models (or groups of seeds) to score on every benchmark.", min_length=1)
    benchmarks: list[Name] | Literal["all"] = Field("all", description="On which benchmarks.")
    compare: list[Comparison] = Field([], description="Differences to show in the report.")


class PublishedScore(Strict):
    """A score that somebody published for a model of the recipe."""

    score: float = Field(ge=0, le=100, description="Accuracy, percent.")
    source: str = Field(description="Where it was published, with a link.", min_length=1)
    runs: int = Field(1, ge=1, description="Runs a question that it is the mean of.")
    questions: int | None = Field(None, ge=1, description="Questions; default: as many as the benchmark has here.")
    majority_vote: float | None = Field(
        None,
        ge=0,
        le=100,
        description="Accuracy of the majority of `runs` answers a question (cons@k, maj@k), percent, where that was published too.",
    )

    @model_validator(mode="after")
    def _enough_to_vote(self) -> Self:
        if self.majority_vote is not None and self.runs < MIN_VOTES:
            raise ValueError(
                f"`majority_vote` needs `runs`, at least {MIN_VOTES}: of how many answers it is the majority"
            )
        return self


class Published(Strict):
    """Published scores, which the report holds against the recipe's own."""

    margin: float = Field(
        5.0,
        gt=0,
        lt=100,
        description="A score is reproduced when the whole interval of the difference is within this many points.",
    )
    scores: dict[Name, dict[Name, PublishedScore]] = Field(
        description="By model (or group of seeds), then by benchmark.", min_length=1
    )
    note: str | None = Field(
        None, description="What the report says above them, where they are not of the same models and questions."
    )


class Draft(Strict):
    """How much a small model speeds up a larger one by speculative decoding: greedy, one sequence at a time."""

    target: Name = Field(description="The model that is sped up.")
    draft: Name = Field(description="The model that proposes tokens; it shares the target's vocabulary.")
    questions: list[Name] = Field(description="Question sets or benchmarks.", min_length=1)
    limit: int = Field(32, ge=1, description="At most this many questions of each, lowest question_id first.")
    tokens: int = Field(5, ge=1, le=64, description="Tokens that the draft proposes in each step.")
    max_tokens: int = Field(ge=1, description="Most tokens to write.")
    prompt: Name = Field(description="Key of `prompts`.")
    published: float | None = Field(None, gt=0, description="Published speed-up (2 is twice as fast).")
    source: str | None = Field(None, description="Where it was published, with a link.")
