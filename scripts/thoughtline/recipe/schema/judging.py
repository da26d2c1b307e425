"""Verifiers that ask a model, and the choice of a verifier."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from .base import Name, Strict
from .generation import Sampling
from .verification import Choice, CodeTests, Exact, Extraction, Instructions, MathVerify, NoVerifier


class Judge(Strict):
    """A language model that compares the final answer with the reference.

    Its reply is read strictly: exactly one of `yes` and `no` must occur. Otherwise `repair` is sent once; a second reply
    that cannot be read makes the verdict `unparsed`.
    """

    verifier: Literal["judge"]
    model: Name = Field(description="A model of this recipe.")
    system: str | None = Field(None, description="System message.")
    template: str = Field(
        description="Jinja template of the user message: problem, reference, answer (the final answer that `extraction` "
        "finds; the whole response where it finds none), response (the whole, no thinking), choices, letters."
    )
    extraction: Extraction = Field(Extraction(), description="How the template's `answer` is found.")
    sampling: Sampling = Field(Sampling(temperature=0.0, max_tokens=512), description="Sampling parameters.")
    yes: str = Field(r"\byes\b", description="Regular expression: the reply means correct.")
    no: str = Field(r"\bno\b", description="Regular expression: the reply means incorrect.")
    repair: str = Field(
        "Answer with one word only: yes or no.", description="Sent once when a reply matches neither or both."
    )

    @field_validator("yes", "no")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression ({error})") from None
        return value


Parser = Annotated[MathVerify | Exact | Choice, Field(discriminator="verifier")]


class Combined(Strict):
    """A parser and a judge, and the rule by which their words become one verdict.

    The parser is undecided where it could not compare: no final answer found, an answer or a reference that it cannot
    read, a limit hit. A reply that was cut off before its answer is decided: it is incorrect.
    """

    verifier: Literal["combined"]
    parser: Parser = Field(description="A verifier that reads and compares: math_verify, exact or choice.")
    judge: Judge = Field(description="The judge.")
    rule: Literal["parser", "judge", "either", "both", "undecided"] = Field(
        description="Whose word counts: one alone; either: correct if one of them says so; both: correct if both do; "
        "undecided: the parser's, and the judge's where the parser is undecided (the cheapest)."
    )
    ask: Literal["needed", "always"] = Field(
        "needed",
        description="Ask the judge only where its word can change the verdict, or always: then the report shows how far "
        "judge and parser agree, and what each rule would keep.",
    )

    @model_validator(mode="after")
    def _asks(self) -> Combined:
        if self.rule == "parser" and self.ask == "needed":
            raise ValueError(
                "the rule `parser` never needs the judge: set `ask: always` to compare the two, or use the parser alone"
            )
        return self

    @property
    def hears_both(self) -> bool:
        """Whether every trace is judged by both sides, so that their agreement can be measured."""
        return self.ask == "always" or self.rule == "judge"


class RatingPrompt(Strict):
    """What the rater is sent about one turn. Both texts are Jinja templates."""

    system: str | None = Field(None, description="System message.")
    template: str = Field(
        description="User message: question, answer, reference of the turn that is rated, turn (its number), and "
        "question_1, answer_1, ref_answer_1, question_2, ... of all turns up to it."
    )


class Rating(Strict):
    """A language model that rates each turn from 1 to 10, as MT-Bench's judge does: neither right nor wrong."""

    verifier: Literal["rating"]
    model: Name = Field(description="A model of this recipe.")
    first: RatingPrompt = Field(description="Prompt of turn 1.")
    later: RatingPrompt | None = Field(None, description="Prompt of the turns after it; default: as `first`.")
    sampling: Sampling = Field(Sampling(temperature=0.0, max_tokens=2048), description="Sampling parameters.")
    repair: str = Field(
        "Give the rating alone, as a number from 1 to 10 in this format: [[5]]",
        description="Sent once when a reply has no [[rating]], or several that differ.",
    )


Verifier = Annotated[
    MathVerify | CodeTests | Judge | Combined | Exact | Choice | Instructions | Rating | NoVerifier,
    Field(discriminator="verifier"),
]


def judge_of(verifier: Any) -> Judge | Rating | None:
    """The part of a verifier that asks a model of the recipe; None where there is none."""
    return (
        verifier.judge if isinstance(verifier, Combined) else verifier if isinstance(verifier, Judge | Rating) else None
    )
