"""What a recipe will have: questions, replies, rows of datasets. From artifacts where they exist, else from `expect`, else from what its sources say."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from ..common.errors import UserError
from ..datasets.mixture import target_rows
from ..recipe.order import tokens_of
from ..recipe.paths import Paths
from ..recipe.schema.datasets import Mixture
from ..recipe.schema.expectation import Expect, ExpectedTokens
from ..recipe.schema.questions import QuestionSet
from ..recipe.schema.recipe import Recipe
from ..recipe.settings import answerer, question_set, sources_of
from .done import Done
from .lengths import Lengths, mixed


def _lengths(value: float | ExpectedTokens) -> Lengths:
    return Lengths.of(value.mean, value.median) if isinstance(value, ExpectedTokens) else Lengths.of(value)


def _lines(path: Path) -> int | None:
    """Rows of a local JSONL file; None where it is none, or not there."""
    return path.read_bytes().count(b"\n") if path.suffix == ".jsonl" and path.is_file() else None


def counted(chosen: QuestionSet) -> int | None:
    """Rows that a set has at most, as far as the recipe itself says; None where a source is on the hub."""
    if chosen.rated:
        return min((each for each in (chosen.rated.highest, chosen.limit) if each is not None), default=None)
    total = 0
    for source in chosen.sources.values():
        rows = (
            source.reasoning_gym.size
            if source.reasoning_gym
            else _lines(Path(source.local.path))
            if source.local
            else None
        )
        if source.take and not source.take.per:
            rows = source.take.count if rows is None else min(rows, source.take.count)
        if rows is None:
            return chosen.limit
        total += rows
    if chosen.partition:
        total = round(total * len(set(chosen.partition.keep)) / chosen.partition.parts)
    return total if chosen.limit is None else min(total, chosen.limit)


class Expected:
    """What a recipe will have."""

    def __init__(self, recipe: Recipe, paths: Paths, done: Done, probed: dict[str, Any]) -> None:
        self._recipe, self._paths, self._done = recipe, paths, done
        self._expect = recipe.expect or Expect()
        self._probed = probed.get("generation", {})
        self._rows_of_training = {each["dataset"]: each["tokens_a_row"] for each in probed.get("training", {}).values()}

    def check(self) -> None:
        """Raises UserError: question sets whose size nobody knows, all of them; a mixture that takes no row."""
        missing = [name for name in self._paths.sets_in_use() if self._rows(name) is None]
        if missing:
            raise UserError(
                "expect.rows",
                f"how many questions there are of {', '.join(missing)} is not known",
                "give each a number (docs/plan.md)",
            )

        for name in self._paths.datasets_in_use():
            if self._recipe.datasets[name].mixture and not self._most(name):
                raise UserError(
                    f"datasets.{name}.mixture",
                    "takes no row: a domain or source that it names has no trace",
                    "name domains and sources of the questions that `traces` answers",
                )

    def short_of(self, name: str) -> str | None:
        """Words on a mixture whose total cannot be reached; None where it can, or the dataset is there."""
        mixture, most = self._recipe.datasets[name].mixture, self._most(name)
        if not mixture or not mixture.total or most >= mixture.total or self._done.dataset(name) is not None:
            return None
        return f"at most {most:,} of mixture.total {mixture.total:,} rows: shares are kept, and one has no more traces"

    def _rows(self, set_name: str) -> int | None:
        known = self._done.questions(set_name)
        if known is not None:
            return known
        found = [self._expect.rows.get(set_name), counted(question_set(self._recipe, set_name))]
        return min((each for each in found if each is not None), default=None)

    def rows(self, set_name: str) -> int:
        """Questions of a set."""
        return self._rows(set_name) or 0

    @property
    def prompt(self) -> float:
        """Tokens of a prompt."""
        return self._expect.prompt_tokens

    def replies(self, name: str, set_name: str) -> Lengths:
        """Lengths of the replies of an answerer on a set, cut off where its sampling cuts."""
        how = answerer(self._recipe, name, set_name)
        limit = how["sampling"].max_tokens
        done = self._done.traces(name, set_name)
        if done.mean:
            return Lengths.of(done.mean, done.median)  # counted after the cut
        if probed := self._probed_replies(name, set_name):
            return Lengths.of(probed["mean"], probed["median"])
        value = self._expect.replies.get(name, self._expect.replies.get(how["model"]))
        if isinstance(value, dict):
            value = value.get(set_name)
        return _lengths(tokens_of(self._recipe, set_name) if value is None else value).cut(limit)

    def _probed_replies(self, name: str, set_name: str) -> dict[str, Any] | None:
        """Lengths that a probe found: of this answerer on the set, or of the weights that it comes from."""
        while name not in self._probed and name in self._recipe.models and (base := self._recipe.models[name].base):
            name = base
        return self._probed.get(name, {}).get("sets", {}).get(set_name)

    def _probed_rows(self, dataset: str) -> float | None:
        """Tokens of a row that a probe made of the traces that this dataset draws from."""
        traces = self._recipe.datasets[dataset].traces
        own = (
            self._rows_of_training[each]
            for each in self._rows_of_training
            if self._recipe.datasets[each].traces == traces
        )
        return self._rows_of_training.get(dataset) or next(own, None)

    def traces_of(self, dataset: str) -> list[tuple[float, Lengths]]:
        """(number of traces at most, lengths of prompt and reply) of each set that a dataset draws from, after choice and mixture."""
        chosen = self._recipe.datasets[dataset]
        found: list[tuple[str, float, Lengths]] = []
        for run, set_name in self._paths.trace_sets(dataset):
            rows = self.rows(set_name) * answerer(self._recipe, run, set_name)["samples"]
            found.append((set_name, rows, self.replies(run, set_name).longer(self.prompt)))
        of_set: Counter[str] = Counter()
        for set_name, rows, _ in found:
            of_set[set_name] += rows
        kept = dict(of_set)
        if not chosen.same_questions_as and (chosen.per_question or chosen.keep not in ("all", "correct")):
            kept = {name: min(rows, (chosen.per_question or 1) * self.rows(name)) for name, rows in kept.items()}
        if chosen.mixture:
            kept = self._mixed(kept, chosen.mixture)
        return [
            (rows * kept[set_name] / of_set[set_name], lengths) for set_name, rows, lengths in found if kept[set_name]
        ]

    def _mixed(self, kept: dict[str, float], mixture: Mixture) -> dict[str, float]:
        """What a mixture takes of the rows of each set; of a set of several sources the most, since it is not known how many each gives."""
        sets = {name: question_set(self._recipe, name) for name in kept}
        if mixture.sources:
            taken = {
                name: min(rows, sum(mixture.sources.get(source, 0) for source in sources_of(self._recipe, name)))
                for name, rows in kept.items()
            }
            most = sum(mixture.sources.values()) / max(1.0, sum(taken.values()))
            return {name: rows * min(1.0, most) for name, rows in taken.items()}
        available: Counter[str] = Counter()
        for name, rows in kept.items():
            available[sets[name].domain] += rows
        wanted = target_rows({domain: math.floor(rows) for domain, rows in available.items()}, mixture.model_dump())
        share = {domain: wanted.get(domain, 0) / rows for domain, rows in available.items() if rows}
        return {name: rows * share.get(sets[name].domain, 0.0) for name, rows in kept.items()}

    def dataset(self, name: str) -> tuple[int, Lengths, bool]:
        """(rows, lengths of a row, whether the rows are only the most that there can be) of a dataset."""
        chosen, known = self._recipe.datasets[name], self._expect.datasets.get(name)
        parts = self.traces_of(name)
        tokens = self._probed_rows(name) or (known.tokens if known else None)
        lengths = mixed(parts or [(1.0, Lengths.of(1.0))]) if tokens is None else _lengths(tokens)
        if chosen.max_tokens:
            lengths = lengths.cut(chosen.max_tokens)
        rows = self._done.dataset(name)
        if rows is not None:
            return rows, lengths, False
        most = self._most(name)
        return (most, lengths, True) if known is None or known.rows is None else (min(most, known.rows), lengths, False)

    def _most(self, name: str) -> int:
        """Rows that a dataset can have at most."""
        chosen = self._recipe.datasets[name]
        most = round(sum(rows for rows, _ in self.traces_of(name)))
        return min(most, self.dataset(chosen.same_questions_as)[0]) if chosen.same_questions_as else most
