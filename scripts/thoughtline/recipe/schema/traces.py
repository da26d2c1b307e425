"""Generation runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Name, Strict
from .generation import Sampling


class TraceRun(Strict):
    """Raw generations of one model on question sets, or another run's traces written anew."""

    LATER = frozenset({"rewrites", "format"})

    model: Name = Field(description="Who answers, or rewrites.")
    questions: list[Name] = Field([], description="Question sets (with `rewrites` by default those of that run).")
    rewrites: Name | None = Field(
        None,
        description="A trace run whose finished traces this model writes anew, one for one; the prompt's template also has "
        "`reasoning` and `response`.",
    )
    format: Literal["think", "openthoughts"] = Field(
        "think",
        description="How thinking and answer are told apart in a reply where the service does not: <think> tags, or "
        "OpenThoughts' begin/end_of_thought and begin/end_of_solution.",
    )
    samples: int = Field(1, ge=1, le=1024, description="Samples a question.")
    sampling: Sampling = Field(description="Sampling parameters.")
    prompt: Name = Field(description="Key of `prompts`.")
