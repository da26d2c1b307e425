"""The report: from a run's files to one page that opens offline, and CSV tables beside it.

The page is a function of the files under --results alone; times, which differ from run to run, are in its
`<section id="times">` and nowhere else. Texts from models and data are untrusted: everything is escaped, and the
page's own policy forbids scripts and anything from the network.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..common.errors import UserError
from ..common.files import write_text
from ..common.names import MULTIPLE_CHOICE_LETTERS
from ..common.pages import page_template
from ..recipe.expand import expand, group
from ..recipe.mistakes import explained
from ..recipe.schema.recipe import Recipe
from . import agreement, durations, examples, headline, numbers, origins, plots, predicted, protocol, training
from .collect import Results, collect, evaluated_on, judged_on
from .funnel import Step, problems_of, steps_of
from .measures import measure_rows, shown
from .published import published_rows, summary
from .scoreboard import MACRO, conclusion, difference_rows, score_rows
from .tables import write_tables
from .yields import length_groups, length_rows, yield_rows

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Characters that HTML forbids, and that models write all the same."""

FOLDER = Path(__file__).resolve().parent

SECTIONS = [
    ("scores", "Scores"),
    ("published", "Published scores"),
    ("differences", "Differences"),
    ("drafts", "Draft models"),
    ("funnel", "Funnel"),
    ("yields", "Yield"),
    ("agreement", "Judge and parser"),
    ("lengths", "Lengths"),
    ("training", "Training"),
    ("examples", "Examples"),
    ("settings", "Settings"),
    ("times", "Times"),
    ("provenance", "Provenance"),
]


def recipe_of(settings: dict[str, Any]) -> Recipe:
    """The expanded recipe in the report's settings.

    Raises:
        UserError: there is none, or it is not valid.
    """
    if not isinstance(settings.get("recipe"), dict):
        raise UserError("--settings", "lacks `recipe`", "`thoughtline recipe settings` prints the report's settings")
    try:
        return expand(Recipe.model_validate(settings["recipe"]))
    except ValidationError as error:
        raise explained(error, Recipe, _place, "the settings") from None


def _place(keys: tuple[Any, ...]) -> str:
    return f"--settings: {'.'.join(map(str, ('recipe', *keys)))}"


def _score_view(results: Results, rows: list[dict[str, Any]]) -> dict[str, Any]:
    columns = []
    for name in judged_on(results.recipe):
        some = next((score for (_, benchmark), score in results.scores.items() if benchmark == name), None)
        size = f"{some['questions']} questions, k = {some['samples']}" if some else "not scored"
        columns.append({"name": name, "size": size})
    metrics = []
    for (model, benchmark), score in results.scores.items():
        if score["accuracy"] is None:
            continue
        passes = {int(k): value["mean"] for k, value in score["pass_at_k"].items()}
        vote = (score["majority_vote"] or {}).get("mean")
        metrics.append(
            {
                "model": model,
                "benchmark": benchmark,
                "pass": passes,
                "vote": vote,
                "truncated": score["truncated_share"],
            }
        )
    ks = sorted({k for row in metrics for k in row["pass"]})
    for row in metrics:
        row["passes"] = [row["pass"].get(k) for k in ks]
    flags = [
        f"{model} on {benchmark}: {flag}"
        for (model, benchmark), score in results.scores.items()
        for flag in score["flags"]
    ]
    return {
        "scored": bool(results.scores),
        "columns": columns,
        "score_rows": rows,
        "has_macro": any(row["macro"] for row in rows),
        "has_groups": any(row["seeds"] for row in rows),
        "metrics": metrics,
        "metric_ks": ks,
        "flags": flags,
    }


def _score_plot(results: Results, rows: list[dict[str, Any]]) -> str:
    macro = [MACRO] if any(row["macro"] for row in rows) else []
    names = [*macro, *judged_on(results.recipe)]
    series = {}
    for row in rows:
        cells = [row["macro"] if name == MACRO else row["cells"][name] for name in names]
        if row["group"] is None and any(cells):
            series[f"{row['name']} ({row['seeds']} seeds)" if row["seeds"] else row["name"]] = cells
    return plots.intervals("scores", names, series)


def _difference_plot(results: Results, comparisons: list[dict[str, Any]]) -> str:
    names = [MACRO, *judged_on(results.recipe)]
    names = [name for name in names if any(row["benchmark"] == name for each in comparisons for row in each["rows"])]
    series = {}
    for each in comparisons:
        known = {row["benchmark"]: row for row in each["rows"]}
        if known:
            series[f"{each['b']} − {each['a']}"] = [known.get(name) for name in names]
    return plots.intervals("differences", names, series, signed=True)


def _difference_view(comparisons: list[dict[str, Any]]) -> dict[str, Any]:
    for each in comparisons:
        for side, number in zip("ab", each["seeds"], strict=True):
            each[f"{side}_seeds"] = f" (mean of {number} seeds)" if number > 1 else ""
        each["with_seeds"] = any(row["low_with_seeds"] is not None for row in each["rows"])
        for row in each["rows"]:
            row["conclusion"], row["is_macro"] = conclusion(row), row["benchmark"] == MACRO
    tests = sum(len(each["rows"]) for each in comparisons)
    return {
        "differences": comparisons,
        "any_with_seeds": any(each["with_seeds"] for each in comparisons),
        "many_tests": tests if tests > 1 else 0,
    }


def _funnel_view(results: Results, steps: list[Step]) -> dict[str, Any]:
    titles = {"curate": "curate", "generate": "generate by {}", "verify": "verify {}", "assemble": "assemble into {}"}

    def groups(names: list[str]) -> list[tuple[str, list[dict[str, Any]]]]:
        found = []
        for name in names:
            rows = [
                {**vars(step), "title": titles[step.verb].format(step.by)} for step in steps if step.set_name == name
            ]
            if rows:
                found.append((name, rows))
        return found

    return {
        "steps": steps,
        "problems": problems_of(steps, results),
        "funnel": [
            ("Training questions, step by step", groups(list(results.recipe.questions)), True),
            ("Benchmark questions, step by step", groups(evaluated_on(results.recipe)), False),
        ],
    }


def _funnel_plot(results: Results, steps: list[Step]) -> str:
    def bar(step: Step) -> dict[str, Any]:
        good, off, bad = step.went_out, 0, sum(step.dropped.values())
        label = {"curate": "rows read → questions", "assemble": f"traces → {step.by}"}.get(step.verb, "")
        if step.verb == "generate":
            label, good = f"{step.by}: traces finished", step.parts.get("finished", 0)
            bad = step.went_out - good
        if step.verb == "verify":
            label, good, bad = f"{step.by}: correct", step.parts.get("correct", 0), step.parts.get("incorrect", 0)
            off = step.went_out - good - bad
        return {"label": label, "total": good + off + bad, "good": good, "bad": bad, "off": off}

    shown = [(name, [bar(step) for step in steps if step.set_name == name]) for name in results.recipe.questions]
    return plots.funnel(shown)


def page(
    results: Results,
    scores: list[dict[str, Any]],
    differences: list[dict[str, Any]],
    steps: list[Step],
    measures: list[dict[str, Any]],
    published: list[dict[str, Any]],
) -> str:
    """The whole page as HTML."""
    recipe = results.recipe
    members = {name: group(recipe, name) for name in recipe.targets.evaluate}
    lengths = length_groups(results, members)
    yields = yield_rows(results)
    times = durations.stage_rows(results)
    view = {
        "recipe": recipe,
        "sections": SECTIONS,
        "letters": MULTIPLE_CHOICE_LETTERS,
        "style": (FOLDER / "style.css").read_text(encoding="utf-8"),
        "verdict": headline.verdict(results, differences),
        "verdict_scope": headline.scope(results, differences),
        "tiles": headline.tiles(results),
        "missing": sorted(results.missing),
        "sidecars": len(results.sidecars),
        **_score_view(results, scores),
        "measures": [{**row, **shown(row)} for row in measures],
        "published": published,
        "published_summary": summary(published),
        "published_note": recipe.published.note if recipe.published else None,
        "drafts": [(recipe.drafts[name], measured) for name, measured in results.drafts.items()],
        "margin": recipe.published.margin if recipe.published else None,
        **_difference_view(differences),
        **_funnel_view(results, steps),
        "yields": yields,
        "agreements": agreement.view(results),
        "asks_both": agreement.asked(results),
        "training_lengths": length_rows(lengths["training"]),
        "benchmark_lengths": length_rows(lengths["benchmarks"]),
        "outcomes": training.outcomes(results),
        "hyperparameters": training.hyperparameters(results),
        "training_examples": examples.training_examples(results),
        "benchmark_examples": examples.benchmark_examples(results, [each[0] for each in members.values() if each]),
        "runs": protocol.runs(recipe),
        "verifiers": protocol.verifiers(recipe),
        "prompts": protocol.prompts(recipe),
        "recipe_yaml": protocol.recipe_yaml(recipe),
        "times": times,
        "times_detail": durations.stage_rows(results, depth=2),
        "totals": durations.totals(times, results),
        "training_times": durations.training_rows(results),
        "measured": durations.measured(results),
        "predicted": predicted.rows(results),
        "plan": results.plan,
        "timed": origins.artifacts(results, timed=True),
        "slurm": durations.slurm_jobs(results),
        "code": origins.code(results),
        "models": origins.models(results),
        "data": origins.data(results),
        "environments": origins.environments(results),
        "machines": origins.machines(results),
        "versions": origins.versions(results),
        "artifacts": origins.artifacts(results),
        "plots": {
            "scores": _score_plot(results, scores),
            "differences": _difference_plot(results, differences),
            "funnel": _funnel_plot(results, steps),
            "yields": plots.yields(yields),
            "training_lengths": plots.lengths("training-lengths", lengths["training"]),
            "benchmark_lengths": plots.lengths("benchmark-lengths", lengths["benchmarks"]),
            "losses": plots.losses(training.curves(results)),
            "times": plots.times(times),
        },
    }
    filters = {
        "percent": numbers.percent,
        "points": numbers.points,
        "count": numbers.count,
        "two": numbers.two,
        "words": lambda key: key.replace("_", " "),
    }
    html = page_template(FOLDER / "page.jinja", filters).render(view).replace("\r\n", "\n")
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", html)


def write_report(settings: dict[str, Any], root: Path, out: Path) -> tuple[Results, dict[str, int]]:
    """Write the page to `out`, and its tables into tables/ beside it.

    Returns:
        What was read, and counts for the sidecar.

    Raises:
        UserError: settings or files that cannot be read.
    """
    results = collect(root, recipe_of(settings))
    scores, differences, steps = score_rows(results), difference_rows(results), steps_of(results)
    measures, published = measure_rows(results), published_rows(results, scores)
    write_tables(
        out.parent / "tables",
        scores,
        differences,
        steps,
        yield_rows(results),
        measures,
        agreement.rows(results),
        published,
    )
    write_text(out, page(results, scores, differences, steps, measures, published))
    return results, {"steps": len(steps), "problems": len(problems_of(steps, results)), "missing": len(results.missing)}
