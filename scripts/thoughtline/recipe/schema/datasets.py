"""Training sets, made of traces."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import Domain, Name, Seed, Strict, exactly_one


class Decontaminate(Strict):
    """Drop training rows that share text with a benchmark."""

    benchmarks: list[Name] | Literal["all"] = Field("all", description="Which benchmarks.")
    ngram: int | None = Field(
        13,
        ge=1,
        description="Words an n-gram; shorter problems are compared whole. Null: no n-grams, `similarity` alone.",
    )
    containment: float = Field(
        0.5, gt=0, le=1, description="Drop when this share of a benchmark item's n-grams occurs in the row."
    )
    similarity: float | None = Field(
        None, ge=50, le=100, description="Also drop at this normalised Indel ratio, percent."
    )

    @model_validator(mode="after")
    def _compares(self) -> Decontaminate:
        if self.benchmarks == []:
            raise ValueError('compares nothing: name benchmarks, or "all"')
        if self.ngram is None and self.similarity is None:
            raise ValueError("compares nothing: without ngram it needs similarity")
        return self


class NearDuplicates(Strict):
    """Near-duplicate removal over the whole dataset."""

    similarity: float = Field(95, ge=50, le=100, description="Normalised Indel ratio, percent.")
    permutations: int = Field(128, ge=16, description="MinHash permutations that propose candidates.")


class Readable(Strict):
    """Which traces are fit to read, as DeepSeek-R1's rejection sampling asks: looked for in the thinking, or in the whole
    reply where there is none apart."""

    other_scripts: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Drop when more than this share of its letters is of other scripts than the problem (Greek never counts).",
    )
    paragraph: int | None = Field(None, ge=1, description="Drop when a paragraph has more characters than this.")
    code_blocks: bool = Field(True, description="False drops thinking with a fenced code block.")


class Mixture(Strict):
    """How many rows of each domain or source: counts, or weights of a total."""

    LATER = frozenset({"sources"})

    counts: dict[Domain, int] | None = Field(
        None, description="At most this many rows of each domain; others are dropped."
    )
    sources: dict[Name, int] | None = Field(
        None, description="At most this many rows of each source; others are dropped."
    )
    weights: dict[Domain, float] | None = Field(None, description="Shares of `total`, any positive numbers.")
    total: int | None = Field(None, ge=1, description="Rows in all (with weights).")

    @model_validator(mode="after")
    def _check(self) -> Mixture:
        exactly_one(self, ("counts", "sources", "weights"))
        if (self.weights is None) != (self.total is None):
            raise ValueError("weights and total go together")
        if any(value <= 0 for value in (self.weights or self.counts or self.sources or {}).values()):
            raise ValueError("counts and weights must be positive; leave a domain or source out to drop it")
        return self


class Dataset(Strict):
    """What a student is trained on."""

    LATER = frozenset({"per_question", "readable", "min_tokens"})

    traces: list[Name] = Field(description="Trace runs to take rows from.", min_length=1)
    keep: Literal[
        "all", "first", "random", "shortest", "correct", "first_correct", "random_correct", "shortest_correct"
    ] = Field(
        description="Which traces of a question: all; the first finished; one at random (seeded); the one of fewest tokens; "
        "every correct one; of the correct ones the first, one at random, the one of fewest tokens."
    )
    per_question: int | None = Field(
        None, ge=1, description="Up to this many traces of a question, in the order of `keep`, instead of one or all."
    )
    keep_unverified: bool = Field(
        False,
        description="With correct rules: keep rows whose verifier is none (OpenThoughts: science, puzzle).",
    )
    same_questions_as: Name | None = Field(
        None, description="Only questions that this dataset has, as many rows of each: equal arms for a comparison."
    )
    near_duplicates: NearDuplicates | None = Field(None, description="Near-duplicate removal.")
    decontaminate: Decontaminate | None = Field(None, description="Decontamination against benchmarks.")
    mixture: Mixture | None = Field(None, description="Rows of each domain.")
    readable: Readable | None = Field(None, description="Drop traces that are not fit to read.")
    min_tokens: int | None = Field(
        None, ge=1, description="Drop rows shorter than this, prompt and reply, in tokens of `tokenizer`."
    )
    max_tokens: int | None = Field(
        None, ge=1, description="Drop rows longer than this, prompt and reply, in tokens of `tokenizer`."
    )
    tokenizer: Name | None = Field(None, description="The model whose tokenizer counts (with max_tokens, min_tokens).")
    prompt: Name = Field(description="Key of `prompts`: the user turn of the training text (examples are left out).")
    format: Literal["openthoughts", "think", "plain"] = Field(
        "openthoughts",
        description="How thinking and answer are wrapped: OpenThoughts' begin/end_of_thought, <think> tags, or the answer only.",
    )
    seed: Seed | None = Field(None, description="Seed of random choices; without it the recipe's.")

    @model_validator(mode="after")
    def _check(self) -> Dataset:
        if (self.max_tokens is None and self.min_tokens is None) != (self.tokenizer is None):
            raise ValueError("max_tokens and tokenizer go together: length is counted in a model's tokens")
        if self.max_tokens and self.min_tokens and self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens {self.min_tokens} is more than max_tokens {self.max_tokens}")
        return self
