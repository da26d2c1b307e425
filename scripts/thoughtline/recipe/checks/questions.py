"""Question sets and their sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from ...common.environments import ROOT
from ...common.errors import UserError
from ...questions.filters import check_filter
from ..schema.evaluation import Benchmark
from ..schema.recipe import Recipe
from ..schema.sources import HubData, Source
from .shared import Problem, listed


def check_rated(recipe: Recipe) -> Iterator[Problem]:
    """A set that is chosen from another one needs a run that was asked about that one, before."""
    for name, benchmark in recipe.benchmarks.items():
        if benchmark.rated:
            yield ("benchmarks", name, "rated"), "is for training sets", "a benchmark has sources"
    for name, chosen in recipe.questions.items():
        at, rated = ("questions", name, "rated"), chosen.rated
        if rated is None:
            continue
        seen, current = [name], rated
        while current is not None:
            if current.questions in seen:
                yield (
                    (*at, "questions"),
                    f"goes in a circle: {' -> '.join([*seen, current.questions])}",
                    "one set must have sources",
                )
                return
            if current.questions not in recipe.questions:
                break
            seen.append(current.questions)
            current = recipe.questions[current.questions].rated
        yield from listed((*at, "questions"), "question set", rated.questions, recipe.questions)
        if rated.questions in recipe.questions and recipe.questions[rated.questions].domain != chosen.domain:
            domain = recipe.questions[rated.questions].domain
            yield ("questions", name, "domain"), f"{rated.questions!r} has the domain {domain!r}", domain
        yield from listed((*at, "traces"), "trace run", rated.traces, recipe.traces)
        if rated.traces in recipe.traces and rated.questions not in recipe.traces[rated.traces].questions:
            yield (
                (*at, "traces"),
                f"{rated.traces!r} was not asked about {rated.questions!r}",
                f"add it to traces.{rated.traces}.questions",
            )


def _splits(split: str) -> set[str]:
    """The splits that `datasets` reads for this text: `train+test[:10%]` are train and test. Slices of one may overlap."""
    return {each.partition("[")[0].strip() for each in split.split("+")}


def _globs_meet(one: str, other: str) -> bool:
    """Whether a file may match both patterns. Two with wildcards are apart where what stands before the first one, or behind the last, differs."""
    wild = re.compile(r"[*?\[{]")
    if not wild.search(one) or not wild.search(other):
        return fnmatchcase(one, other) or fnmatchcase(other, one)
    starts = [wild.split(each)[0] for each in (one, other)]
    ends = [re.split(r"[*?\]}]", each)[-1] for each in (one, other)]
    return (starts[0].startswith(starts[1]) or starts[1].startswith(starts[0])) and (
        ends[0].endswith(ends[1]) or ends[1].endswith(ends[0])
    )


def _same_hub(one: HubData, other: HubData) -> bool:
    """Whether two selections of the hub may share rows: other revisions of a data set mostly hold the same, and files of a split are not known here."""
    if one.id.lower() != other.id.lower() or (one.config and other.config and one.config != other.config):
        return False
    if one.data_files and other.data_files:
        return _globs_meet(one.data_files, other.data_files)
    splits = _splits(one.split), _splits(other.split)
    return bool(one.data_files or other.data_files or splits[0] & splits[1] or "all" in splits[0] | splits[1])


def may_share(one: Source, other: Source) -> bool:
    """Whether two sources may share rows. Two `where` keep them apart only by a column of which both name values, none the same."""
    if any(not set(one.where[column]) & set(other.where[column]) for column in one.where.keys() & other.where.keys()):
        return False
    if one.hub and other.hub:
        return _same_hub(one.hub, other.hub)
    if one.local and other.local:
        return (ROOT / one.local.path).resolve() == (ROOT / other.local.path).resolve()
    if one.reasoning_gym and other.reasoning_gym:
        # A longer run of the same generator begins with the shorter one.
        return one.reasoning_gym.model_copy(update={"size": 1}) == other.reasoning_gym.model_copy(update={"size": 1})
    return False


def check_same_source(recipe: Recipe) -> Iterator[Problem]:
    """A benchmark must not be drawn from rows that a training set may be drawn from."""

    def apart(one: Any, other: Any) -> bool:
        one, other = one.partition, other.partition
        return bool(one and other and one.parts == other.parts and not set(one.keep) & set(other.keep))

    for name, benchmark in recipe.benchmarks.items():
        for key, source in benchmark.sources.items():
            for other_name, other in recipe.questions.items():
                for other_key, other_source in other.sources.items():
                    if may_share(source, other_source) and not apart(benchmark, other):
                        yield (
                            ("benchmarks", name, "sources", key),
                            f"may take the same rows as questions.{other_name}.sources.{other_key}",
                            "another split or seed, other values of a column in the `where` of both, or in both a `partition` that keeps other parts",
                        )


def check_sets(recipe: Recipe) -> Iterator[Problem]:
    """Filters, local files and samples of each set must be usable."""
    for kind in ("questions", "benchmarks"):
        for name, chosen in getattr(recipe, kind).items():
            if (
                isinstance(chosen, Benchmark)
                and chosen.sampling
                and chosen.sampling.temperature == 0
                and (chosen.samples or 1) > 1
            ):
                yield (kind, name, "samples"), "runs at temperature 0 are all the same", "1, or a temperature above 0"
            for key, source in chosen.sources.items():
                for number, entry in enumerate(source.filters):
                    filter_name, arguments = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
                    try:
                        check_filter(filter_name, arguments, "filter")
                    except UserError as error:
                        yield (
                            (kind, name, "sources", key, "filters", number),
                            f"{error.where}: {error.what}",
                            error.right,
                        )
                if source.local and not (ROOT / source.local.path).is_file():
                    yield (
                        (kind, name, "sources", key, "local", "path"),
                        f"there is no file {source.local.path!r}",
                        "a path from the repository's root, or an absolute one",
                    )
                if source.take and source.take.per and source.reasoning_gym:
                    yield (
                        (kind, name, "sources", key, "take", "per"),
                        "reasoning-gym rows have no columns",
                        "leave it out",
                    )


def check_credits(recipe: Recipe) -> Iterator[Problem]:
    """Dataset cards list sources by name: one name must mean one licence and one credit."""
    seen: dict[str, tuple[str, str, str]] = {}
    for name, chosen in {**recipe.questions, **recipe.benchmarks}.items():
        for key, source in chosen.sources.items():
            licence, credit, where = seen.setdefault(key, (source.licence, source.credit, name))
            if (licence, credit) != (source.licence, source.credit):
                kind = "benchmarks" if name in recipe.benchmarks else "questions"
                yield (
                    (kind, name, "sources", key),
                    f"has another licence or credit than the source {key!r} of {where}",
                    "give it a name of its own",
                )
