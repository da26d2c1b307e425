"""What a run has left on disk, as plain tables: the only part of the report that knows where files are.

Only what the recipe names is read, so leftovers of an earlier recipe cannot slip into the report. A file that is not
there is left out, and noted in `Results.missing` where the targets are made from it; a file that is there and cannot be
read is an error.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import UserError
from ..common.files import read_json
from ..common.rows import QUESTIONS, TRACES, VERDICTS, shard_name
from ..recipe.expand import group
from ..recipe.paths import Paths
from ..recipe.schema.evaluation import Benchmark
from ..recipe.schema.questions import QuestionSet
from ..recipe.schema.recipe import Recipe
from ..recipe.settings import verifier_of

QUESTION_COLUMNS = ["question_id", "domain", "source"]
TRACE_COLUMNS = ["trace_id", "question_id", "sample", "status", "prompt_tokens", "completion_tokens"]
VERDICT_COLUMNS = ["trace_id", "status", "reason", "verifier", "fingerprint"]


@dataclass
class Answers:
    """Traces of one answerer (a trace run, or a model on a benchmark) on one question set.

    `traces` has TRACE_COLUMNS plus `domain`, `verdict` and `reason` (null where there is no verdict yet);
    `expected` is the number of questions times the samples of each.
    """

    answerer: str
    set_name: str
    benchmark: bool
    expected: int
    traces: pd.DataFrame
    verdicts: pd.DataFrame | None


@dataclass
class Trained:
    """A model's folder: model.json, and for a student the steps and the summary of its training."""

    facts: dict[str, Any]
    steps: list[dict[str, Any]]
    summary: dict[str, Any]


@dataclass
class Results:
    """Everything that the report shows, as read from files."""

    root: Path
    recipe: Recipe
    questions: dict[str, pd.DataFrame] = field(default_factory=dict)
    answers: dict[tuple[str, str], Answers] = field(default_factory=dict)
    datasets: dict[str, dict[str, pd.DataFrame]] = field(default_factory=dict)  # name -> {"rows", "dropped"}
    models: dict[str, Trained] = field(default_factory=dict)
    scores: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # (model, benchmark) -> score JSON
    agreements: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # (answerer, set) -> agreement JSON
    drafts: dict[str, dict[str, Any]] = field(default_factory=dict)  # name -> what was measured of a draft model
    sidecars: dict[str, dict[str, Any]] = field(default_factory=dict)  # artifact, relative to root -> sidecar
    benchmarks: list[dict[str, Any]] = field(default_factory=list)  # rows of Snakemake's benchmark files
    plan: dict[str, Any] | None = None  # what `thoughtline plan --keep` predicted of this run
    missing: list[str] = field(default_factory=list)  # what the targets are made from and nobody has made yet
    files: list[Path] = field(default_factory=list)  # what was read

    def set_of(self, name: str) -> QuestionSet | Benchmark:
        """The training set or benchmark called `name`."""
        return self.recipe.questions.get(name) or self.recipe.benchmarks[name]

    def shards(self, folder: str, set_name: str) -> list[Path]:
        """The files that a set has under `folder`, whether they are there or not."""
        return [
            self.root / folder / set_name / f"{shard_name(number)}.parquet"
            for number in range(self.set_of(set_name).shards)
        ]

    def take(self, path: Path, needed: bool = True) -> bool:
        """Whether `path` is there; notes it as read, or, if it is needed, as missing."""
        if path.is_file():
            self.files.append(path)
            return True
        if needed:
            self.missing.append(path.relative_to(self.root).as_posix())
        return False


def _table(paths: list[Path], schema: pa.Schema, columns: list[str]) -> pd.DataFrame:
    """Some columns of Parquet shards, in the shards' order."""
    wanted = pa.schema([schema.field(name) for name in columns])
    parts = []
    for path in paths:
        try:
            parts.append(pq.read_table(path, columns=columns).select(columns).cast(wanted))
        except (pa.ArrowInvalid, KeyError, OSError, ValueError) as error:
            raise UserError(
                str(path), f"cannot be read ({str(error).splitlines()[0]})", f"needs the columns {columns}"
            ) from None
    return pa.concat_tables(parts).to_pandas() if parts else wanted.empty_table().to_pandas()


def _json_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise UserError(f"{path}:{number}", f"is not JSON ({error})", "make the model again") from None
    return rows


def evaluated(recipe: Recipe) -> list[str]:
    """The models to be scored, groups of seeds written out, in the recipe's order."""
    return list(dict.fromkeys(member for name in recipe.targets.evaluate for member in group(recipe, name)))


def evaluated_on(recipe: Recipe) -> list[str]:
    """The benchmarks of `targets`, in the recipe's order."""
    chosen = recipe.targets.benchmarks
    return [name for name in recipe.benchmarks if chosen == "all" or name in chosen]


def judged_on(recipe: Recipe) -> list[str]:
    """The benchmarks of `targets` whose answers are right or wrong; the others are rated (see report.measures)."""
    return [name for name in evaluated_on(recipe) if getattr(verifier_of(recipe, name), "verifier", None) != "rating"]


def answerers(recipe: Recipe) -> Iterator[tuple[str, str, int]]:
    """Who answers what: (folder under traces/, question set, samples a question)."""
    for name, run in recipe.traces.items():
        for set_name in run.questions:
            yield name, set_name, run.samples
    for model in evaluated(recipe):
        for name in evaluated_on(recipe):
            samples = recipe.benchmarks[name].samples
            yield model, name, samples or (recipe.evaluation.samples if recipe.evaluation else 1)


def _read_questions(results: Results) -> None:
    needed = Paths(results.recipe, "").sets_in_use()
    for name in [*results.recipe.questions, *evaluated_on(results.recipe)]:
        paths = [path for path in results.shards("questions", name) if results.take(path, name in needed)]
        if paths:
            results.questions[name] = _table(paths, QUESTIONS, QUESTION_COLUMNS)


def _read_answers(results: Results) -> None:
    paths = Paths(results.recipe, "")
    runs, used = paths.judged_runs(), paths.runs_in_use()
    for name, set_name, samples in answerers(results.recipe):
        needed = set_name in results.recipe.benchmarks or (name, set_name) in used
        traces = [path for path in results.shards(f"traces/{name}", set_name) if results.take(path, needed)]
        if not traces:
            continue
        wanted = name in runs or set_name in results.recipe.benchmarks
        verdicts = [
            path for path in results.shards(f"verdicts/{name}", set_name) if wanted and results.take(path, needed)
        ]
        rows = _table(traces, TRACES, TRACE_COLUMNS)
        judged = _table(verdicts, VERDICTS, VERDICT_COLUMNS) if verdicts else None
        if judged is not None:
            short = judged[["trace_id", "status", "reason"]].rename(columns={"status": "verdict"})
            rows = rows.merge(short.drop_duplicates("trace_id"), on="trace_id", how="left")
        else:
            rows = rows.assign(verdict=None, reason=None)
        questions = results.questions.get(set_name)
        results.answers[name, set_name] = Answers(
            name,
            set_name,
            set_name in results.recipe.benchmarks,
            samples * (0 if questions is None else len(questions)),
            rows.assign(domain=results.set_of(set_name).domain),
            judged,
        )


def _read_datasets(results: Results) -> None:
    used = Paths(results.recipe, "").datasets_in_use() or results.recipe.datasets
    for name in results.recipe.datasets:
        folder = results.root / "datasets" / name
        tables = {
            key: pq.read_table(path).to_pandas()
            for key in ("rows", "dropped")
            if results.take(path := folder / f"{key}.parquet", name in used)
        }
        if "rows" in tables:
            results.datasets[name] = tables


def _read_models(results: Results) -> None:
    used = Paths(results.recipe, "").models_in_use()
    for name, model in results.recipe.models.items():
        folder = results.root / "models" / name
        if model.endpoint is not None or not results.take(folder / "model.json", name in used):
            continue
        steps, summary = [], {}
        if model.base is not None:
            if results.take(folder / "training.jsonl"):
                steps = _json_lines(folder / "training.jsonl")
            if results.take(folder / "training.json"):
                summary = read_json(folder / "training.json")
        results.models[name] = Trained(read_json(folder / "model.json"), steps, summary)


def _read_scores(results: Results) -> None:
    for model in evaluated(results.recipe):
        for benchmark in evaluated_on(results.recipe):
            if results.take(path := results.root / "scores" / model / f"{benchmark}.json"):
                results.scores[model, benchmark] = read_json(path)


def _read_agreements(results: Results) -> None:
    for answerer, set_name in Paths(results.recipe, "").agreements():
        if results.take(path := results.root / "agreement" / answerer / f"{set_name}.json"):
            results.agreements[answerer, set_name] = read_json(path)


def _named(recipe: Recipe, noun: str, name: str) -> bool:
    """Whether the recipe makes an artifact {noun}/{name}/... at all."""
    known: dict[str, Container[str]] = {
        "questions": {*recipe.questions, *recipe.benchmarks},
        "traces": {*recipe.traces, *evaluated(recipe)},
        "verdicts": {*recipe.traces, *evaluated(recipe)},
        "agreement": {*recipe.traces, *evaluated(recipe)},
        "datasets": recipe.datasets,
        "models": recipe.models,
        "scores": evaluated(recipe),
        "drafts": recipe.drafts,
    }
    return name in known.get(noun, ())


def _read_sidecars(results: Results) -> None:
    for path in sorted(results.root.rglob("*.prov.json")):
        inside = path.relative_to(results.root)
        hidden = any(part.startswith(".") for part in inside.parts)
        if not hidden and len(inside.parts) > 2 and _named(results.recipe, *inside.parts[:2]):
            results.sidecars[inside.as_posix().removesuffix(".prov.json")] = read_json(path)


def _read_benchmarks(results: Results) -> None:
    """Snakemake's benchmark files: `s` (wall seconds), `cpu_time` (CPU seconds), `max_rss` (MB), one row a repeat."""
    root = results.root / "benchmarks"
    for path in sorted(root.rglob("*.tsv")):
        table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        for row in table.to_dict("records"):
            facts = {key: row.get(key) for key in ("s", "cpu_time", "max_rss")}
            results.benchmarks.append({"job": path.relative_to(root).with_suffix("").as_posix(), **facts})


def _read_plan(results: Results) -> None:
    path = results.root / "plan.json"
    if path.is_file():
        results.files.append(path)
        results.plan = read_json(path)


def collect(root: Path, recipe: Recipe) -> Results:
    """Read what is under `root` of the expanded `recipe`.

    Args:
        root: results/{recipe}.
        recipe: the recipe, expanded (recipe.expand).

    Raises:
        UserError: the folder is not there, or a file in it cannot be read.
    """
    if not root.is_dir():
        raise UserError(str(root), "is no folder", "--results is the folder of one recipe, results/{recipe}")
    results = Results(root, recipe)
    _read_questions(results)
    _read_answers(results)
    _read_datasets(results)
    _read_models(results)
    _read_scores(results)
    _read_agreements(results)
    results.drafts.update(
        {name: read_json(path) for name in recipe.drafts if results.take(path := root / f"drafts/{name}/measured.json")}
    )
    _read_sidecars(results)
    _read_benchmarks(results)
    _read_plan(results)
    return results
