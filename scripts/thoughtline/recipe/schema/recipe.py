"""The recipe: one YAML file that describes a release, as validated models.

Unknown keys are forbidden everywhere. What a key means stands in its description; docs/recipe.schema.json and
docs/reference.md are generated from here (`thoughtline recipe reference`), and a test fails when they drift.
"""

from __future__ import annotations

from pydantic import Field

from .base import Domain, Name, Seed, Strict
from .datasets import Dataset
from .evaluation import Benchmark, Draft, Evaluation, Published, Targets
from .expectation import Expect
from .generation import Prompt
from .judging import Verifier
from .models import Model
from .questions import QuestionSet
from .traces import TraceRun


class Recipe(Strict):
    """An open reasoning-model release."""

    LATER = frozenset({"published", "expect", "drafts"})

    extends: str | None = Field(
        None,
        description="Another recipe's file, relative to this one: only what differs from it is given here. Mappings merge "
        "key by key, everything else replaces, `!replace` before a mapping replaces it too, null removes a key unless it says something there; numbers as "
        "keys (`stages: {0: {epochs: 2}}`) change those items of a list.",
    )
    name: Name = Field(description="The recipe's name; results go to `results/{name}/`.")
    title: str = Field(description="One line for people.")
    description: str = Field("", description="What this reproduces, and where the figures come from.")
    seed: Seed = Field(42, description="Seed of everything that has none of its own.")
    prompts: dict[Name, dict[Domain, Prompt]] = Field(description="Prompts by name, then by domain.")
    models: dict[Name, Model] = Field(description="Models by name.", min_length=1)
    questions: dict[Name, QuestionSet] = Field({}, description="Training question sets by name.")
    benchmarks: dict[Name, Benchmark] = Field({}, description="Held-out question sets by name.")
    traces: dict[Name, TraceRun] = Field({}, description="Generation runs by name (the folder under traces/).")
    verdicts: dict[Domain, Verifier] = Field({}, description="The verifier of each domain, for sets without their own.")
    datasets: dict[Name, Dataset] = Field({}, description="Training sets by name.")
    evaluation: Evaluation | None = Field(None, description="The evaluation protocol.")
    targets: Targets = Field(description="What is made by default.")
    expect: Expect | None = Field(None, description="What the planner reckons with until there are rows.")
    published: Published | None = Field(None, description="Published scores of the recipe's models.")
    drafts: dict[Name, Draft] = Field({}, description="Draft models to measure, by name.")
