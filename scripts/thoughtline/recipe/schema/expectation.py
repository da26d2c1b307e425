"""What the planner reckons with."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from .base import Name, Strict

MOST_ROWS = 10_000_000_000
"""More than any data set of text has; what is larger is a slip."""
MOST_TOKENS = 10_000_000.0
"""Longer than any model's context."""
SKEWED = 20.0
"""Most that a mean is times the median: the longest of a hundred rows is then 300 times the middle one; R1's mathematics has 1.3."""

Rows = Annotated[int, Field(ge=1, le=MOST_ROWS)]
Tokens = Annotated[float, Field(gt=0)]
"""One number, beside other forms: its range is checked by `_length`, for the error of a union does not say which form was meant."""


def _length(value: Any, at: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _length(each, f"{at}{key}.") for key, each in value.items()}
    if isinstance(value, float) and not 1 <= value <= MOST_TOKENS:
        name = f"{at.removesuffix('.')}: " if at else ""
        raise ValueError(f"{name}{value:g} tokens are no length of a text; 1 to {MOST_TOKENS:,.0f}")
    return value


class ExpectedTokens(Strict):
    """How long texts are."""

    mean: float = Field(ge=1, le=MOST_TOKENS, description="Mean, tokens.")
    median: float | None = Field(
        None,
        ge=1,
        le=MOST_TOKENS,
        description="Median, tokens, at most the mean and at least a twentieth of it; without it 78 % of the mean, as of DeepSeek-R1's mathematics traces.",
    )

    @model_validator(mode="after")
    def _skewed(self) -> ExpectedTokens:
        if self.median is not None and not self.mean / SKEWED <= self.median <= self.mean:
            raise ValueError(
                f"median {self.median:g} does not go with mean {self.mean:g}: lengths are skewed to long ones, "
                f"so the median is at most the mean, and at least a {SKEWED:g}th of it"
            )
        return self


class ExpectedDataset(Strict):
    """How large a dataset becomes."""

    rows: int | None = Field(None, ge=1, le=MOST_ROWS, description="Rows; without it all that its traces could give.")
    tokens: Tokens | ExpectedTokens | None = Field(
        None,
        description="Tokens of a row, 1 to 10,000,000, prompt and reply; without it as its traces and their prompts.",
    )

    @field_validator("tokens")
    @classmethod
    def _sensible(cls, value: Any) -> Any:
        return _length(value)


class Expect(Strict):
    """What the planner (`thoughtline plan`) reckons with until there are rows. No job reads it, and a change reruns none but the report."""

    rows: dict[Name, Rows] = Field({}, description="Questions of question sets and benchmarks, after their filters.")
    prompt_tokens: float = Field(
        250, ge=1, le=MOST_TOKENS, description="Mean tokens of a prompt, system message included."
    )
    replies: dict[Name, Tokens | ExpectedTokens | dict[Name, Tokens | ExpectedTokens]] = Field(
        {},
        description="Tokens of a reply, 1 to 10,000,000, thinking included, by trace run or model: one number for all it answers, or one a question set. "
        "Without it by domain, as in DeepSeek-R1's distillation data.",
    )
    datasets: dict[Name, ExpectedDataset] = Field({}, description="Datasets.")

    @field_validator("replies")
    @classmethod
    def _sensible(cls, value: Any) -> Any:
        return _length(value)
