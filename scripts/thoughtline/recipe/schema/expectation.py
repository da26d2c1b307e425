"""What the planner reckons with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Name, Strict

Rows = Annotated[int, Field(ge=1)]
Tokens = Annotated[float, Field(gt=0)]


class ExpectedTokens(Strict):
    """How long texts are."""

    mean: float = Field(gt=0, description="Mean, tokens.")
    median: float | None = Field(
        None, gt=0, description="Median, tokens; without it 78 % of the mean, as of DeepSeek-R1's mathematics traces."
    )


class ExpectedDataset(Strict):
    """How large a dataset becomes."""

    rows: int | None = Field(None, ge=1, description="Rows; without it all that its traces could give.")
    tokens: Tokens | ExpectedTokens | None = Field(
        None, description="Tokens of a row, prompt and reply; without it as its traces and their prompts."
    )


class Expect(Strict):
    """What the planner (`thoughtline plan`) reckons with until there are rows. No job reads it, and a change reruns none but the report."""

    rows: dict[Name, Rows] = Field({}, description="Questions of question sets and benchmarks, after their filters.")
    prompt_tokens: float = Field(250, gt=0, description="Mean tokens of a prompt, system message included.")
    replies: dict[Name, Tokens | ExpectedTokens | dict[Name, Tokens | ExpectedTokens]] = Field(
        {},
        description="Tokens of a reply, thinking included, by trace run or model: one number for all it answers, or one a question set. "
        "Without it by domain, as in DeepSeek-R1's distillation data.",
    )
    datasets: dict[Name, ExpectedDataset] = Field({}, description="Datasets.")
