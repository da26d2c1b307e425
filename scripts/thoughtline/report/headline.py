"""The first paragraph: what came out, in words that the numbers can carry."""

from __future__ import annotations

from typing import Any

from ..recipe.expand import group
from .collect import Results, evaluated, judged_on
from .numbers import count, points
from .scoreboard import MACRO, conclusion


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def verdict(results: Results, differences: list[dict[str, Any]]) -> list[dict[str, str]]:
    """One line a comparison, {"title", "text"}: the macro average where there is one, else the only benchmark."""
    lines = []
    whole = len(judged_on(results.recipe))
    for each in differences:
        row = next((row for row in each["rows"] if row["benchmark"] == MACRO), None)
        if row is None and whole == 1 and each["rows"]:
            row = each["rows"][0]
        what = f"{each['b']} minus {each['a']}"
        if row is None:
            done = f"{len(each['rows'])} of {whole}"
            lines.append({"title": each["title"], "text": f"{what}: open, scores for {done} benchmarks are there."})
            continue
        text = f"{what}: {points(row['mean'])} points, 95 % interval [{points(row['low'])}, {points(row['high'])}]"
        if row["low_with_seeds"] is not None:
            text += (
                f"; with the spread between training seeds [{points(row['low_with_seeds'])}, "
                f"{points(row['high_with_seeds'])}]"
            )
        who = "" if row["wording"] == "not distinguishable" else f"{each['b']} is "
        lines.append({"title": each["title"], "text": f"{text}: {who}{conclusion(row)}."})
    return lines


def scope(results: Results, differences: list[dict[str, Any]]) -> str:
    """What the verdict rests on: questions, benchmarks, runs, seeds; and how far it reaches."""
    recipe = results.recipe
    if not recipe.benchmarks or not recipe.targets.evaluate:
        return "This recipe evaluates no model: there is nothing to compare."
    if not results.scores:
        return "No scores are there yet, so nothing can be said about the models."
    found: dict[str, tuple[int, int]] = {}
    for (_, benchmark), score in results.scores.items():
        found[benchmark] = (score["questions"], score["samples"])
    questions, samples = sum(number for number, _ in found.values()), sorted({number for _, number in found.values()})
    runs = _and([str(number) for number in samples])
    name = "benchmark" if len(found) == 1 else "benchmarks"
    text = (
        f"Measured on {count(questions)} questions of {len(found)} {name} ({_and(sorted(found))}), "
        f"{runs} {'run' if samples == [1] else 'runs'} of each question and model"
    )
    seeds = {len(members) for target in recipe.targets.evaluate if len(members := group(recipe, target)) > 1}
    if seeds:
        text += f", {_and([str(number) for number in sorted(seeds)])} training seeds of each student"
    text += "."
    if len(found) > 1:
        text += " Figures above are macro averages: every benchmark counts the same." if differences else ""
    if differences:
        text += " What is not distinguishable here may still differ; it would take more questions to see it."
    return text


def tiles(results: Results) -> list[tuple[str, str]]:
    """The size of the run: (number, what)."""
    recipe, found = results.recipe, []
    training = sum(len(rows) for name, rows in results.questions.items() if name in recipe.questions)
    held_out = sum(len(rows) for name, rows in results.questions.items() if name in recipe.benchmarks)
    traces = sum(len(each.traces) for each in results.answers.values())
    verdicts = sum(len(each.verdicts) for each in results.answers.values() if each.verdicts is not None)
    trained = sum(name in results.models for name, model in recipe.models.items() if model.base is not None)
    found += [(count(training), "training questions"), (count(held_out), "benchmark questions")]
    found += [(count(traces), "traces"), (count(verdicts), "verdicts")]
    found += [(count(len(tables["rows"])), f"rows in {name}") for name, tables in results.datasets.items()]
    found += [(count(trained), "trained models"), (count(len({model for model, _ in results.scores})), "models scored")]
    wanted = len(evaluated(recipe))
    return [each for each in found if each[0] != "0" or (each[1] == "models scored" and wanted)]
