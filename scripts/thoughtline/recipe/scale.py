"""A recipe scaled down: the same graph of jobs and the same targets, on a small model and a handful of rows.

What an overlay (recipes/scale/*.yaml) replaces: all weights and services by one small model, every source by a stand-in of its
domain, and whatever makes a run long (rows, samples, shards, tokens, steps, ranks). What it keeps: every question set, benchmark, trace run,
dataset, keep rule, stage, verifier, learning rate and comparison, and every prompt; prompts of trace runs are shown worked examples, without which
a model of this size hardly ever solves anything that verification would keep.

What cannot stay: `where`, `take` and `filters` of a source speak of its own rows, `changes` and engine settings of weights of these weights, and
bounds of a rating of the range that a strong model uses, so a set is chosen by rank instead. Limits of length from below let everything pass.
The planner's expectations are left out. Published scores stay, so that the report shows them beside the run's own, under a note that they are
of other models and other questions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..common.environments import ROOT
from ..common.errors import UserError
from .extends import read_layers
from .load import file_of, validated
from .overlay import Overlay, Training, read_overlay, scaled
from .schema.base import Domain
from .schema.datasets import Mixture
from .schema.evaluation import Draft, Published
from .schema.generation import Example, Prompt, Sampling
from .schema.models import Model
from .schema.recipe import Recipe
from .schema.sources import Source
from .schema.traces import TraceRun
from .yaml_text import place_of

DEFAULT = ROOT / "recipes/scale/small.yaml"

KEEP = {"correct": "all", "first_correct": "first", "random_correct": "random", "shortest_correct": "shortest"}
"""Keep rules that need correct traces -> those that do not, for a model that is never right."""

NOTE = (
    "These were published for the recipe {name}: for its own models, on its own benchmarks. Here one small model stands for all of them, and other "
    "questions for all benchmarks, so the difference shows only that the comparison is made."
)

LARGEST_ENTRIES = 1000
"""Seeds of stand-ins are this far apart."""


def shown(prompt: str, kind: str) -> str:
    """Name of a prompt with the worked examples of a kind of run."""
    return f"{prompt}-with-{kind}"


class Scaling:
    """Turns the parts of one recipe into small ones."""

    def __init__(self, overlay: Overlay, path: Path) -> None:
        """`path`: the overlay's file."""
        self.overlay, self._path = overlay, path
        self._sources = 0

    def _place(self, *keys: str) -> str:
        return place_of(self._path, keys, "overlay")

    def source(self, source: Source, domain: str, kind: str) -> Source:
        """The stand-in of a source; each is drawn by another seed."""
        if domain not in self.overlay.standins:
            raise UserError(self._place("standins", domain), "is missing in the overlay", "give rows of this domain")
        if source.fields.instructions or source.fields.turns:
            raise UserError(
                self._place("standins", domain),
                "have neither instructions nor several turns",
                "leave such a benchmark out",
            )
        chosen: Source = getattr(self.overlay.standins[domain], kind)
        self._sources += 1
        update: dict[str, Any] = {}
        if chosen.reasoning_gym:
            seed = chosen.reasoning_gym.seed + LARGEST_ENTRIES * self._sources
            update["reasoning_gym"] = chosen.reasoning_gym.model_copy(update={"seed": seed})
        elif chosen.take:
            update["take"] = chosen.take.model_copy(update={"seed": self._sources})
        return chosen.model_copy(update=update)

    def question_set(self, chosen: Any, kind: str, limit: int) -> Any:
        """A training set or benchmark."""
        if chosen.rated:
            half = max(1, limit // 2)
            rated = {"at_least": None, "at_most": None, "highest": half, "unrated": "keep"}
            small = {"rated": chosen.rated.model_copy(update=rated), "limit": half}
            return chosen.model_copy(update={**small, "shards": min(chosen.shards, self.overlay.shards)})
        update: dict[str, Any] = {
            "sources": {key: self.source(each, chosen.domain, kind) for key, each in chosen.sources.items()},
            "shards": min(chosen.shards, self.overlay.shards),
            "limit": min(chosen.limit or limit, limit),
        }
        if chosen.verifier:
            update["verifier"] = self.verifier(chosen.verifier)
        if getattr(chosen, "samples", None):
            update["samples"] = self.samples(chosen.samples)
        if getattr(chosen, "sampling", None):
            update["sampling"] = self.sampling(chosen.sampling)
        return chosen.model_copy(update=update)

    def samples(self, number: int) -> int:
        """A number of samples a question."""
        return min(number, self.overlay.samples)

    def sampling(self, sampling: Sampling) -> Sampling:
        """Sampling parameters."""
        return sampling.model_copy(
            update={
                "max_tokens": min(sampling.max_tokens, self.overlay.max_tokens),
                "stop": list(dict.fromkeys([*sampling.stop, *self.overlay.stop])),
            }
        )

    def verifier(self, verifier: Any) -> Any:
        """A verifier: what a judge may write is shortened."""
        update: dict[str, Any] = {}
        if getattr(verifier, "judge", None):
            update["judge"] = self.verifier(verifier.judge)
        if getattr(verifier, "sampling", None):
            update["sampling"] = self.sampling(verifier.sampling)
        return verifier.model_copy(update=update)

    def run(self, run: TraceRun, kind: str) -> TraceRun:
        """A trace run, asked with worked examples."""
        small = {"samples": self.samples(run.samples), "sampling": self.sampling(run.sampling)}
        return run.model_copy(update={**small, "prompt": shown(run.prompt, kind)})

    def prompts(self, prompts: dict[str, dict[str, Prompt]], runs: dict[str, tuple[TraceRun, str]]) -> dict[str, Any]:
        """The recipe's prompts, and each one that trace runs use also with worked examples of their kind, unless it has its own.

        A prompt for writing anew is left with them only: it would be of no use to anybody else.
        """
        rewriting = {run.prompt for run, _ in runs.values() if run.rewrites}
        found: dict[str, Any] = {name: each for name, each in prompts.items() if name not in rewriting}
        for run, kind in runs.values():
            examples: dict[Domain, list[Example]] = getattr(self.overlay.examples, kind)
            found[shown(run.prompt, kind)] = {
                domain: prompt.model_copy(update={"examples": prompt.examples or examples.get(domain, [])})
                for domain, prompt in prompts[run.prompt].items()
            }
        return found

    def model(self, model: Model) -> Model:
        """A model: a student's stages, or the small model for everybody else."""
        if model.base is None:
            return self.overlay.model
        new = self.overlay.training
        fixed = {key: getattr(new, key) for key in Training.model_fields if key not in ("epochs", "max_length")}
        stages = [
            stage.model_copy(
                update={
                    **fixed,
                    "epochs": min(stage.epochs, new.epochs),
                    "max_length": min(stage.max_length, new.max_length),
                }
            )
            for stage in model.stages
        ]
        return model.model_copy(update={"stages": stages, "engine": None})

    def draft(self, draft: Draft) -> Draft:
        """A draft model's measurement, on as many questions as a benchmark has: its two models write one token at a time."""
        limits = {
            "limit": min(draft.limit, max(1, self.overlay.benchmarks // len(draft.questions))),
            "max_tokens": min(draft.max_tokens, self.overlay.max_tokens),
        }
        return draft.model_copy(update=limits)

    def published(self, recipe: Recipe) -> Published | None:
        """Published scores, with the number of questions that they were measured on where the recipe tells it."""
        if recipe.published is None:
            return None
        rows = recipe.expect.rows if recipe.expect else {}
        scores = {
            model: {
                benchmark: each.model_copy(update={"questions": each.questions or rows.get(benchmark)})
                for benchmark, each in by_benchmark.items()
            }
            for model, by_benchmark in recipe.published.scores.items()
        }
        return recipe.published.model_copy(update={"scores": scores, "note": NOTE.format(name=recipe.name)})

    def mixture(self, mixture: Mixture) -> Mixture:
        """A mixture of the same parts."""
        most = self.overlay.mixture
        if mixture.weights and mixture.total:
            return mixture.model_copy(update={"total": min(mixture.total, most * len(mixture.weights))})
        kind = "counts" if mixture.counts else "sources"
        counts: dict[str, int] = getattr(mixture, kind)
        return mixture.model_copy(update={kind: {name: min(count, most) for name, count in counts.items()}})

    def dataset(self, dataset: Any) -> Any:
        """A dataset, without a limit of length that no short reply reaches."""
        update: dict[str, Any] = {"keep": KEEP.get(dataset.keep, dataset.keep)} if self.overlay.keep_incorrect else {}
        if dataset.min_tokens:
            update["min_tokens"] = 1
        if dataset.mixture:
            update["mixture"] = self.mixture(dataset.mixture)
        return dataset.model_copy(update=update)

    def recipe(self, recipe: Recipe) -> Recipe:
        """The whole of it, not expanded."""
        overlay = self.overlay
        evaluation = recipe.evaluation
        raters = {
            each.rated.traces for each in recipe.questions.values() if each.rated and each.rated.measure == "rating"
        }
        runs = {
            name: (each, "rewrites" if each.rewrites else "ratings" if name in raters else "answers")
            for name, each in recipe.traces.items()
        }
        return recipe.model_copy(
            update={
                "name": f"{recipe.name}-{overlay.name}",
                "title": f"Scaled down ({overlay.name}): {recipe.title}",
                "description": f"The graph of the recipe {recipe.name} on a small model and a handful of stand-in rows: it shows that "
                "everything runs, and nothing about the release.",
                "prompts": self.prompts(recipe.prompts, runs),
                "models": {name: self.model(each) for name, each in recipe.models.items()},
                "questions": {
                    name: self.question_set(each, "train", overlay.questions) for name, each in recipe.questions.items()
                },
                "benchmarks": {
                    name: self.question_set(each, "benchmark", overlay.benchmarks)
                    for name, each in recipe.benchmarks.items()
                },
                "traces": {name: self.run(*each) for name, each in runs.items()},
                "verdicts": {domain: self.verifier(each) for domain, each in recipe.verdicts.items()},
                "datasets": {name: self.dataset(each) for name, each in recipe.datasets.items()},
                "published": self.published(recipe),
                "drafts": {name: self.draft(each) for name, each in recipe.drafts.items()},
                "expect": None,
                "evaluation": evaluation
                and evaluation.model_copy(
                    update={
                        "samples": self.samples(evaluation.samples),
                        "sampling": self.sampling(evaluation.sampling),
                    }
                ),
            }
        )


def check_out(out: Path, path: Path, overlay: Path = DEFAULT) -> None:
    """Refuse to write over a file that the scaled recipe is made of, whatever links or spelling lead to it.

    Raises:
        UserError: `out` is the recipe of `path`, one that it extends, or the overlay.
    """
    for source in (*read_layers(file_of(path)).files, overlay):
        if out.exists() and source.exists() and out.samefile(source):
            raise UserError("--out", f"{out} is {source}, which the small recipe is made of", "name another file")


def scaled_text(path: Path, overlay: Path = DEFAULT) -> str:
    """YAML of the recipe of `path`, scaled down by an overlay; it stands by itself.

    Raises:
        UserError: the recipe or the overlay is not valid, they make no valid recipe together, or the overlay lacks rows of a domain.
    """
    path = file_of(path)
    layers = read_layers(path)
    validated(layers)  # says what is wrong with the recipe itself
    recipe = Recipe.model_validate(layers.data)
    small = Scaling(read_overlay(overlay), overlay).recipe(recipe)
    content = small.model_dump(mode="json", exclude_defaults=True)
    validated(scaled(overlay, layers, recipe, content))
    head = f"# Made of {path.name} by `thoughtline recipe scale` with {overlay.name}.\n"
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=140)
