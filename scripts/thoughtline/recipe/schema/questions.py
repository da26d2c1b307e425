"""Sets of questions, with their ground truth."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from .base import Domain, Name, Strict
from .judging import Verifier
from .sources import Source


class Deduplicate(Strict):
    """Which questions of a set count as the same."""

    exact: bool = Field(True, description="Drop questions with the same identity (normalised problem).")
    similarity: float | None = Field(
        None,
        ge=50,
        le=100,
        description="Drop near-duplicates at this normalised Indel ratio, percent (OpenThoughts: 95).",
    )


class Partition(Strict):
    """A part of a set's questions by hash of their identity: sets that keep different parts are disjoint by construction."""

    parts: int = Field(description="How many parts there are.", ge=2, le=1000)
    keep: list[int] = Field(description="Which of them, from 0.", min_length=1)

    @model_validator(mode="after")
    def _in_range(self) -> Partition:
        if any(not 0 <= part < self.parts for part in self.keep):
            raise ValueError(f"keep {self.keep} must name parts 0 to {self.parts - 1}")
        return self


class Rated(Strict):
    """Questions of another set, chosen by what a trace run on that set says of them.

    A question's number is the mean over its finished traces.
    """

    questions: Name = Field(description="The question set to choose from.")
    traces: Name = Field(description="A trace run that was asked about that set.")
    measure: Literal["rating", "tokens"] = Field(
        "rating", description="The number that the reply states, or the tokens that the reply took."
    )
    pattern: str = Field(
        r"(\d+(?:\.\d+)?)",
        description="Regular expression with one group, the rating; its last match in the response counts.",
    )
    at_least: float | None = Field(None, description="Only questions with at least this number.")
    at_most: float | None = Field(None, description="Only questions with at most this number.")
    highest: int | None = Field(
        None, ge=1, description="Only this many of the questions, those with the highest numbers."
    )
    unrated: Literal["drop", "keep"] = Field(
        "drop", description="Questions without a number; when kept, they count as the lowest."
    )

    @field_validator("pattern")
    @classmethod
    def _one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression ({error})") from None
        if groups != 1:
            raise ValueError(f"{value!r} has {groups} groups; the rating needs exactly one")
        return value

    @model_validator(mode="after")
    def _chooses(self) -> Rated:
        if self.at_least is None and self.at_most is None and self.highest is None:
            raise ValueError("chooses nothing: give at_least, at_most or highest")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(
                f"at_least {self.at_least:g} is more than at_most {self.at_most:g}: no number is both; raise at_most, or leave one out"
            )
        return self


class QuestionSet(Strict):
    """Prompts with ground truth of one domain."""

    LATER = frozenset({"rated"})

    domain: Domain = Field(description="math, code, science, puzzle or chat: it chooses prompt and verifier.")
    shards: int = Field(1, ge=1, le=9999, description="Fixed number of hash partitions.")
    sources: dict[Name, Source] = Field({}, description="Sources by name; earlier ones win when questions repeat.")
    rated: Rated | None = Field(
        None, description="In place of sources: another set's questions, chosen by a model's rating."
    )
    deduplicate: Deduplicate = Field(Deduplicate(), description="Deduplication within the set.")
    partition: Partition | None = Field(None, description="Only a hash part of the questions.")
    limit: int | None = Field(None, ge=1, description="At most this many questions, lowest question_id first.")
    verifier: Verifier | None = Field(None, description="Default: the domain's in `verdicts`.")

    @model_validator(mode="after")
    def _has_rows(self) -> QuestionSet:
        if bool(self.sources) == (self.rated is not None):
            raise ValueError(f"needs either sources or rated, has {'both' if self.sources else 'none of them'}")
        return self
