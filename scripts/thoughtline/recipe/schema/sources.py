"""Where questions come from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from ...common.names import FILTERS
from ...common.spelling import known_names
from .base import HubRef, Seed, Sha256, Strict, exactly_one


class HubData(HubRef):
    """A data set on the hub."""

    config: str | None = Field(None, description="Configuration (subset) name.")
    split: str = Field("train", description="Split name.")
    data_files: str | None = Field(None, description="Only these files of the repository (a glob).")


class LocalData(Strict):
    """A file of rows on this machine."""

    path: str = Field(description="JSONL or Parquet file, relative to the repository's root.", min_length=1)
    sha256: Sha256 | None = Field(None, description="Refuse the file unless its sha256 is this one.")


class GymData(Strict):
    """Procedurally generated tasks of reasoning-gym (https://github.com/open-thought/reasoning-gym)."""

    task: str = Field(description="Task name, say `chain_sum`.", min_length=1)
    size: int = Field(description="How many entries to generate.", ge=1)
    seed: Seed = Field(description="The generator's seed.")
    config: dict[str, Any] = Field({}, description="The task's own settings.")


class Fields(Strict):
    """Which column of the source holds what."""

    problem: str = Field("problem", description="Column of the text that is asked.")
    answer: str | None = Field(None, description="Column of the short reference answer.")
    solution: str | None = Field(None, description="Column of a worked solution or known-good program.")
    choices: str | list[str] | None = Field(
        None, description="Column of the list of options, or one column an option (GPQA)."
    )
    tests: str | list[str] | dict[str, str] | None = Field(
        None,
        description="Column of the unit tests, columns with the names of a published form, or `name: column` of one "
        "(say [prompt, entry_point, test] of HumanEval); forms in recipes.md.",
    )
    starter_code: str | None = Field(None, description="Column of the code that a solution starts from.")
    instructions: str | None = Field(
        None, description="Column of the list of verifiable instructions (IFEval: instruction_id_list)."
    )
    instruction_arguments: str | None = Field(
        None, description="Column of their arguments, an object each, in the same order (IFEval: kwargs)."
    )
    turns: str | None = Field(
        None,
        description="Column of the list of all user messages of a conversation (MT-Bench: turns); the first is the "
        "problem, the others are sent as they are, each once the one before is answered.",
    )
    references: str | None = Field(None, description="Column of the list of reference replies, one for each turn.")
    metadata: list[str] = Field([], description="Further columns to keep as metadata.")

    @model_validator(mode="after")
    def _check(self) -> Fields:
        if (self.instructions is None) != (self.instruction_arguments is None):
            raise ValueError("instructions and instruction_arguments go together")
        if self.instructions and self.tests:
            raise ValueError("a question has unit tests or instructions, not both")
        return self


class Take(Strict):
    """A seeded sample of a source's rows, taken before the filters."""

    count: int = Field(description="How many rows, or how many of each group.", ge=1)
    seed: Seed | None = Field(None, description="Shuffle with this seed first; without it the first rows are taken.")
    per: str | None = Field(None, description="Take `count` of each value of this column.")


class Source(Strict):
    """Where questions come from: exactly one of hub, local, reasoning_gym."""

    hub: HubData | None = Field(None, description="A data set on the Hugging Face hub.")
    local: LocalData | None = Field(None, description="A local JSONL or Parquet file.")
    reasoning_gym: GymData | None = Field(None, description="A reasoning-gym task.")
    licence: str = Field(description="Licence of the rows (SPDX id, or words where there is none).", min_length=1)
    credit: str = Field(description="Who made it, with a link: shown in the dataset card and the report.", min_length=1)
    fields: Fields = Field(Fields(), description="Which column holds what (ignored for reasoning_gym).")
    where: dict[str, Annotated[list[str | int | bool], Field(min_length=1)]] = Field(
        {}, description="Keep rows whose column has one of these values."
    )
    take: Take | None = Field(None, description="Sample rows before the filters.")
    filters: list[str | dict[str, Any]] = Field(
        [], description="Filters by name, in order; `name: {argument: value}` where one takes arguments."
    )

    @model_validator(mode="after")
    def _check(self) -> Source:
        exactly_one(self, ("hub", "local", "reasoning_gym"))
        for entry in self.filters:
            name = entry if isinstance(entry, str) else next(iter(entry), "")
            if isinstance(entry, dict) and (len(entry) != 1 or not isinstance(entry[name], dict)):
                raise ValueError(f"filter {entry!r} must be a name, or one `name: {{argument: value}}`")
            if name not in FILTERS:
                raise ValueError(f"unknown filter {name!r}; {known_names(FILTERS, name)}")
        return self
