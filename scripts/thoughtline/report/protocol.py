"""The recipe's settings as short tables, and whole as YAML."""

from __future__ import annotations

from typing import Any

import yaml

from ..recipe.schema.recipe import Recipe
from .collect import evaluated_on
from .numbers import plain


class _Dumper(yaml.SafeDumper):
    """Safe YAML with texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def recipe_yaml(recipe: Recipe) -> str:
    """The resolved recipe, defaults filled in; keys without a value are left out."""
    value = recipe.model_dump(mode="json", exclude_none=True)
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _facts(value: dict[str, Any], skip: tuple[str, ...] = (), prefix: str = "") -> str:
    """{"seconds": 4, "extraction": {"boxed": True}} -> "seconds: 4, extraction.boxed: yes"; nothing for no value."""
    parts = []
    for key, each in value.items():
        if key in skip or each in (None, [], {}):
            continue
        if isinstance(each, dict):
            parts.append(_facts(each, prefix=f"{prefix}{key}."))
        elif isinstance(each, list) and all(isinstance(item, str) for item in each):
            parts.append(f"{prefix}{key}: " + " or ".join(f"“{item}”" for item in each))
        else:
            parts.append(f"{prefix}{key}: {plain(each)}")
    return ", ".join(part for part in parts if part)


def runs(recipe: Recipe) -> list[dict[str, str]]:
    """Trace runs and the evaluation: who answered what, with which sampling and prompt."""
    rows = []
    for name, run in recipe.traces.items():
        rows.append((name, run.model, ", ".join(run.questions), run.samples, run.sampling, run.prompt))
    protocol = recipe.evaluation
    for name in evaluated_on(recipe):
        own = recipe.benchmarks[name]
        samples = own.samples or (protocol.samples if protocol else 1)
        sampling, prompt = (
            own.sampling or (protocol and protocol.sampling),
            own.prompt or (protocol and protocol.prompt),
        )
        same = rows[-1] if rows and rows[-1][0] == "evaluation" else None
        if same and same[3:] == (samples, sampling, prompt):
            rows[-1] = (*same[:2], f"{same[2]}, {name}", *same[3:])
        else:
            rows.append(("evaluation", ", ".join(recipe.targets.evaluate), name, samples, sampling, prompt))
    return [
        {
            "run": name, "model": model, "sets": sets, "samples": plain(samples), "prompt": plain(prompt),
            "sampling": _facts(sampling.model_dump(mode="json")) if sampling else plain(None),
        }
        for name, model, sets, samples, sampling, prompt in rows
    ]  # fmt: skip


def verifiers(recipe: Recipe) -> list[dict[str, str]]:
    """The verifier of each domain, and of each question set and benchmark that has its own."""
    chosen: list[tuple[str, Any]] = list(recipe.verdicts.items())
    sets = {**recipe.questions, **recipe.benchmarks}
    chosen += [(name, each.verifier) for name, each in sets.items() if each.verifier is not None]
    return [
        {
            "domain": name,
            "name": each.verifier,
            "settings": _facts(each.model_dump(mode="json"), ("verifier",)) or plain(None),
        }
        for name, each in chosen
    ]


def prompts(recipe: Recipe) -> list[dict[str, Any]]:
    """Every prompt of the recipe, by name and domain."""
    return [
        {"name": name, "domain": domain, **prompt.model_dump(mode="json")}
        for name, domains in recipe.prompts.items()
        for domain, prompt in domains.items()
    ]
