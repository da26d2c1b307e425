"""Templates of prompts: they can be filled in, and show the problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2 import Environment, StrictUndefined

from ..schema.judging import Rating, judge_of
from ..schema.recipe import Recipe
from .shared import Problem
from .verifiers import judge_at, written_verifiers

SHOWN = ("'reasoning' is undefined", "'response' is undefined")
"""What Jinja says of a template that shows a trace where there is none."""


def _rating_templates(at: tuple[Any, ...], rating: Rating) -> Iterator[tuple[tuple[Any, ...], str, dict[str, Any]]]:
    """The texts of a rater's prompts with what they see: `first` turn 1, `later` turn 2."""
    for turn, key in ((1, "first"), (2, "later")):
        prompt = getattr(rating, key)
        variables: dict[str, Any] = {"question": "q", "answer": "a", "reference": "r", "turn": turn}
        for number in range(1, turn + 1):
            variables |= {f"question_{number}": "q", f"answer_{number}": "a", f"ref_answer_{number}": "r"}
        for name in ("system", "template") if prompt else ():
            if (text := getattr(prompt, name)) is not None:
                yield (*at, key, name), text, variables


def _of_a_rewriter(recipe: Recipe, name: str) -> str:
    """What would be right where a prompt shows a trace, and not all that use it write traces anew."""
    users = [f"traces.{run}" for run, each in recipe.traces.items() if each.prompt == name]
    users += ["evaluation"] if recipe.evaluation and recipe.evaluation.prompt == name else []
    users += [f"benchmarks.{each}" for each, chosen in recipe.benchmarks.items() if chosen.prompt == name]
    users += [f"drafts.{each}" for each, chosen in recipe.drafts.items() if chosen.prompt == name]
    if users:
        return f"reasoning and response are those of the trace that a run `rewrites`; {', '.join(users)} need a prompt without them"
    return f"it is for runs that write traces anew (`rewrites`), and none uses it: remove it, in a recipe that extends by `prompts: {{{name}: null}}`"


def check_templates(recipe: Recipe) -> Iterator[Problem]:
    """Every template can be filled in; those of prompts must show the problem."""
    environment = Environment(undefined=StrictUndefined)
    question = {
        "problem": "THE PROBLEM",
        "choices": ["x", "y"],
        "letters": ["A", "B"],
        "starter_code": "def f():",
        "function": True,
    }
    judged = {"problem": "p", "reference": "r", "answer": "a", "response": "s", "choices": ["x"], "letters": ["A"]}
    runs = recipe.traces.values()
    rewriting = {run.prompt for run in runs if run.rewrites} - {run.prompt for run in runs if not run.rewrites}
    trace = {"reasoning": "the thinking", "response": "the answer"}
    found: list[tuple[tuple[Any, ...], str, dict[str, Any]]] = [
        (("prompts", name, domain, "template"), prompt.template, question | trace if name in rewriting else question)
        for name, by_domain in recipe.prompts.items()
        for domain, prompt in by_domain.items()
    ]
    for at, verifier, _ in written_verifiers(recipe):
        if isinstance(verifier, Rating):
            found += _rating_templates(at, verifier)
        elif judge := judge_of(verifier):
            found.append(((*judge_at(at, verifier), "template"), judge.template, judged))
    for at, template, variables in found:
        try:
            texts = [environment.from_string(template).render(variables | {"function": each}) for each in (True, False)]
        except Exception as error:  # a template may raise whatever Python can
            right = f"it may use {', '.join(variables)}"
            if at[0] == "prompts" and at[1] not in rewriting and str(error).startswith(SHOWN):
                right = _of_a_rewriter(recipe, at[1])
            yield at, f"is no usable template ({error})", right
            continue
        if variables.get("problem") == question["problem"] and any(question["problem"] not in text for text in texts):
            yield at, "does not show the problem", "use {{ problem }}"
