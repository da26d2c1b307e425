"""The work of a recipe: one item for each kind of job that its targets need, with what it computes and who waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..machines.demands import Demands
from ..machines.place import Demand
from ..recipe.paths import Paths
from ..recipe.schema.judging import judge_of
from ..recipe.schema.recipe import Recipe
from ..recipe.settings import answerer, decontaminated_against, question_set, verifier_of

RULES = {
    "generate_traces": ("traces", ("answerer", "set")),
    "verify_traces": ("verdicts", ("answerer", "set")),
    "train_model": ("train", ("model",)),
    "measure_draft": ("drafts", ("draft",)),
}
"""Rules whose jobs load weights -> (stage, wildcards that are its item's names)."""


@dataclass(frozen=True)
class Item:
    """A kind of job. `names` choose it, as in `recipe.settings`."""

    stage: str
    names: tuple[str, ...]
    demand: Demand
    after: tuple[tuple[str, tuple[str, ...]], ...]
    """(stage, names) of the items that it waits for."""

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """What identifies it."""
        return self.stage, self.names

    @property
    def title(self) -> str:
        """For people."""
        return " on ".join(self.names)


def key_of(rule: str, wildcards: Mapping[str, str]) -> tuple[str, tuple[str, ...]] | None:
    """The item that a job of Snakemake belongs to; None for rules whose jobs load no weights."""
    if rule not in RULES:
        return None
    stage, names = RULES[rule]
    return stage, tuple(wildcards[name] for name in names)


class Work:
    """All items of a recipe's targets, each after those that it waits for."""

    def __init__(self, recipe: Recipe, paths: Paths, demands: Demands) -> None:
        self._recipe, self._paths, self._demands = recipe, paths, demands
        self.items: dict[tuple[str, tuple[str, ...]], Item] = {}
        self.targets: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        """Name of a target -> the items that it needs."""
        last = []
        for name in paths.evaluated():
            self.targets[name] = self._needed(
                [self._score(name, each) for each in paths.benchmarks()] or [self._model(name)]
            )
            last += self.targets[name]
        for name in [each for each in recipe.datasets if not paths.evaluated() or not paths.datasets_in_use()]:
            self.targets[f"dataset {name}"] = self._needed([self._dataset(name)])
            last += self.targets[f"dataset {name}"]
        for name in recipe.drafts:
            self.targets[f"draft {name}"] = self._needed([self._draft(name)])
            last += self.targets[f"draft {name}"]
        self._add("report", (), demands.report(), dict.fromkeys(last))

    def _add(
        self, stage: str, names: tuple[str, ...], demand: Demand, after: Iterator | dict | list | tuple
    ) -> tuple[str, tuple[str, ...]]:
        item = Item(stage, names, demand, tuple(dict.fromkeys(after)))
        self.items.setdefault(item.key, item)
        return item.key

    def _needed(self, keys: list[tuple[str, tuple[str, ...]]]) -> list[tuple[str, tuple[str, ...]]]:
        found: dict[tuple[str, tuple[str, ...]], None] = {}
        queue = list(keys)
        while queue:
            key = queue.pop()
            if key not in found:
                found[key] = None
                queue += self.items[key].after
        return [key for key in self.items if key in found]

    def _questions(self, set_name: str) -> tuple[str, tuple[str, ...]]:
        rated = question_set(self._recipe, set_name).rated
        after = [self._questions(rated.questions), self._traces(rated.traces, rated.questions)] if rated else []
        return self._add("questions", (set_name,), self._demands.questions(set_name), after)

    def _model(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        model = self._recipe.models[name]
        if model.endpoint is not None:
            return None
        if model.base is None:
            return self._add("fetch", (name,), self._demands.fetch(name), ())
        after = [self._model(model.base), *(self._dataset(stage.dataset) for stage in model.stages)]
        return self._add("train", (name,), self._demands.train(name), [each for each in after if each])

    def _traces(self, name: str, set_name: str) -> tuple[str, tuple[str, ...]]:
        how = answerer(self._recipe, name, set_name)
        after = [self._questions(set_name), self._model(how["model"])]
        after += [self._traces(how["rewrites"], set_name)] if how.get("rewrites") else []
        return self._add(
            "traces", (name, set_name), self._demands.traces(name, set_name), [each for each in after if each]
        )

    def _verdicts(self, name: str, set_name: str) -> tuple[str, tuple[str, ...]]:
        after = [self._traces(name, set_name)]
        judge = judge_of(verifier_of(self._recipe, set_name))
        after += [each for each in [self._model(judge.model) if judge else None] if each]
        return self._add("verdicts", (name, set_name), self._demands.verdicts(set_name), after)

    def _dataset(self, name: str) -> tuple[str, tuple[str, ...]]:
        chosen = self._recipe.datasets[name]
        after = [self._verdicts(*pair) for pair in self._paths.trace_sets(name)]
        after += [self._questions(each) for each in decontaminated_against(self._recipe, name)]
        after += [each for each in [self._model(chosen.tokenizer) if chosen.tokenizer else None] if each]
        after += [self._dataset(chosen.same_questions_as)] if chosen.same_questions_as else []
        return self._add("datasets", (name,), self._demands.datasets(), after)

    def _score(self, name: str, benchmark: str) -> tuple[str, tuple[str, ...]]:
        return self._add("scores", (name, benchmark), self._demands.scores(), [self._verdicts(name, benchmark)])

    def _draft(self, name: str) -> tuple[str, tuple[str, ...]]:
        chosen = self._recipe.drafts[name]
        after = [self._questions(each) for each in chosen.questions]
        after += [each for each in (self._model(chosen.target), self._model(chosen.draft)) if each]
        return self._add("drafts", (name,), self._demands.drafts(name), after)
