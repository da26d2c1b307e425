"""Where a judge and a parser agree, from the agreement files, for the report's section and table."""

from __future__ import annotations

from typing import Any

from ..common.names import COMBINATION_RULES
from ..recipe.paths import Paths
from ..recipe.settings import verifier_of
from .collect import Results

TOTAL = "all sources"
NOT_COMPARED = ("judge_unparsed", "parser_undecided")
"""What the agreement file counts as dropped, though the judge was asked: these rows are in the table."""


def asked(results: Results) -> bool:
    """Whether the recipe asks a judge and a parser about every trace of anybody."""
    return bool(Paths(results.recipe, "").agreements())


def _limits(found: dict[str, Any] | None, name: str, value: str) -> dict[str, Any]:
    """A figure and its interval as three columns; None where it could not be had."""
    low, high = (found or {}).get("interval") or (None, None)
    return {name: found and found[value], f"{name}_low": low, f"{name}_high": high}


def _row(source: str, found: dict[str, Any]) -> dict[str, Any]:
    table = found["table"]
    return {
        "source": source,
        "rows": found["rows"],
        "judged": found["judged"],
        "both": table["correct"]["correct"],
        "parser_alone": table["correct"]["incorrect"],
        "judge_alone": table["incorrect"]["correct"],
        "neither": table["incorrect"]["incorrect"],
        "undecided_kept": table["undecided"]["correct"],
        "undecided_rejected": table["undecided"]["incorrect"],
        "unparsed": sum(words["unparsed"] for words in table.values()),
        **_limits(found["agreement"], "agreement", "mean"),
        **_limits(found["kappa"], "kappa", "value"),
        **{f"kept_{rule}": kept["rows"] for rule, kept in found["kept"].items()},
    }


def _table(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a source, and all together where there are several."""
    rows = [{**_row(name, each), "total": False} for name, each in found["sources"].items()]
    return rows + ([{**_row(TOTAL, found["all"]), "total": True}] if len(rows) != 1 else [])


def rows(results: Results) -> list[dict[str, Any]]:
    """The table of every answerer and question set: see tables.AGREEMENT."""
    return [
        {"answerer": answerer, "set": set_name, **row}
        for (answerer, set_name), found in results.agreements.items()
        for row in _table(found)
    ]


def view(results: Results) -> list[dict[str, Any]]:
    """What the page shows of each answerer and question set."""
    shown = []
    for (answerer, set_name), found in results.agreements.items():
        verifier, dropped = verifier_of(results.recipe, set_name), found["counts"]["dropped"]
        kept = found["all"]["kept"]
        shown.append(
            {
                "answerer": answerer,
                "set": set_name,
                "parser": verifier.parser.verifier,
                "judge": verifier.judge.model,
                "rule": verifier.rule,
                "rows": found["all"]["rows"],
                "table": _table(found),
                "not_judged": {key: value for key, value in dropped.items() if key not in NOT_COMPARED},
                "undecided": found["all"]["undecided"],
                "kept": {rule: kept[rule] for rule in COMBINATION_RULES if rule in kept},
                "difference": found["all"]["judge_minus_parser"],
                "examples": found["examples"],
            }
        )
    return shown
