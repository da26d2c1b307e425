"""What a verdict on code costs: this project's executor beside a lower limit, plain baselines and published checkers.

python -m bench.verify_code [--quick] [--engines NAME ...] [--problems N] [--repetitions N] [--preamble] [--json FILE]

Engines take turns (A B C A B C ...), so that a busy minute of the machine hits all of them; the table shows medians over the
repetitions and, in brackets, the least and the most. The exit status is 1 when our executor judges a task wrongly.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from .engines import ENGINES
from .measure import EngineError, measure
from .problems import PROBLEMS, tasks

QUICK = {"problems": 6, "repetitions": 2}
FULL = {"problems": 40, "repetitions": 5}
GOALS = {"fresh-solution": 0.25, "limit": 2.0}
"""Our CPU time a verdict is at most this part of another engine's."""


def run(names: list[str], count: int, repetitions: int, preamble: bool) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """(one record for each engine and kind with its costs in every repetition, {engine: why it does not run here}).

    Raises:
        EngineError: our own executor does not run.
    """
    lists = {kind: tasks(kind, count, preamble) for kind in PROBLEMS}
    records: dict[tuple[str, str], dict[str, Any]] = {}
    missing: dict[str, str] = {}
    turns = [(kind, name) for kind in PROBLEMS for name in names if kind in ENGINES[name].kinds]
    for turn in range(repetitions * len(turns)):
        kind, name = turns[turn % len(turns)]
        if name in missing:
            continue
        if sys.stderr.isatty():
            print(f"\r{turn + 1} of {repetitions * len(turns)}: {name}, {kind}\033[K", end="", file=sys.stderr)
        try:
            cost = measure(name, lists[kind])
        except EngineError as error:
            if name == "ours":
                raise
            missing[name] = str(error)
            continue
        new = {"engine": name, "kind": kind, "tasks": len(lists[kind]), "cpu": [], "wall": [], "wrong": []}
        record = records.setdefault((name, kind), new)
        record["cpu"].append(cost.cpu)
        record["wall"].append(cost.wall)
        record["wrong"].append(cost.wrong)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return [record for record in records.values() if record["engine"] not in missing], missing


def _cells(record: dict[str, Any] | None, base: float | None) -> list[str]:
    if record is None:
        return ["-"] * 4
    cpu = statistics.median(record["cpu"])
    return [
        f"{cpu:.1f} [{min(record['cpu']):.1f} {max(record['cpu']):.1f}]", f"{cpu / base:.2f}" if base else "-",
        f"{statistics.median(record['wall']):.1f}", f"{max(record['wrong'])}/{record['tasks']}",
    ]  # fmt: skip


def table(records: list[dict[str, Any]]) -> str:
    """The costs as text: milliseconds a verdict."""
    found = {(record["engine"], record["kind"]): record for record in records}
    base = {kind: statistics.median(found["ours", kind]["cpu"]) for kind in PROBLEMS if ("ours", kind) in found}
    rows = [
        ["engine", "isolation", *(f"{kind} {what}" for kind in PROBLEMS for what in ("CPU", "/ours", "wall", "wrong"))]
    ]
    for name in dict.fromkeys(record["engine"] for record in records):
        cells = [_cells(found.get((name, kind)), base.get(kind)) for kind in PROBLEMS]
        rows.append([ENGINES[name].title, ENGINES[name].isolation, *itertools.chain(*cells)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def goals(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """[{"engine", "kind", "ratio": ours / theirs, "most", "met"}] for each goal that was measured.

    The ratio is taken within each repetition; the median over the repetitions counts.
    """
    found = {(record["engine"], record["kind"]): record["cpu"] for record in records}
    results = []
    for engine, most in GOALS.items():
        for kind in PROBLEMS:
            if ("ours", kind) in found and (engine, kind) in found:
                pairs = zip(found["ours", kind], found[engine, kind], strict=True)
                ratio = statistics.median(mine / theirs for mine, theirs in pairs)
                results.append({"engine": engine, "kind": kind, "ratio": ratio, "most": most, "met": ratio <= most})
    return results


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "",
    )
    return {
        "cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(), "root": os.geteuid() == 0,
        "python": platform.python_version(), "load": os.getloadavg()[0],
    }  # fmt: skip


def main() -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK} instead of {FULL}: under a minute on a quiet machine"
    )
    names = [name for name in ENGINES if name != "known-load"]
    parser.add_argument("--engines", nargs="+", choices=names, default=names, metavar="NAME", help=" ".join(names))
    parser.add_argument("--problems", type=int, help="so many of each kind")
    parser.add_argument("--repetitions", type=int)
    parser.add_argument(
        "--preamble", action="store_true", help="before each program the imports that such programs begin with"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args()
    chosen = QUICK if given.quick else FULL
    count, repetitions = given.problems or chosen["problems"], given.repetitions or chosen["repetitions"]
    start, here = time.monotonic(), machine()
    records, missing = run(given.engines, count, repetitions, given.preamble)
    reached = goals(records)
    print(f"{here['cpu']}, {here['cores']} cores, Linux {here['kernel']}, load {here['load']:.1f} at the start")
    print(
        f"{count} problems of each kind, a right and a wrong program each; repetitions: {repetitions}; milliseconds a verdict\n"
    )
    print(table(records))
    for name, why in missing.items():
        print(f"not run: {ENGINES[name].title}: {why}")
    print()
    for goal in reached:
        word = "met" if goal["met"] else "MISSED"
        title = ENGINES[goal["engine"]].title
        print(f"goal {word}: ours / {title}, {goal['kind']}: {goal['ratio']:.2f}, at most {goal['most']:.2f}")
    print(f"{time.monotonic() - start:.0f} s")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        figures = {
            "machine": here,
            "problems": count,
            "preamble": given.preamble,
            "records": records,
            "missing": missing,
            "goals": reached,
        }
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return int(any(max(record["wrong"]) for record in records if record["engine"].startswith("ours")))


if __name__ == "__main__":
    sys.exit(main())
