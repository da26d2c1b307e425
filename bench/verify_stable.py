"""Verdicts under load: none may differ, however many workers share the cores.

python -m bench.verify_stable [--verdicts N] [--workers N] [--busy N] [--json FILE]

Each task is judged once, alone: that is what its verdict must be. Then many threads, each with an executor of its own, judge
the tasks over and over, beside `--busy` processes that do nothing but compute. Among the tasks are programs that use
a good part of their CPU time, loop, run out of memory or flood their output: what a loaded machine would change first. A verdict is
its reason with its evidence. The exit status is 1 when one differs or a program met the wall-clock backstop.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thoughtline.verdicts.executor import Executor, Limits
from thoughtline.verdicts.pool import run_jobs

from .problems import PROBLEMS, tasks

WORKERS_A_CORE = 8
LIMITS = Limits(seconds=1.0, memory_mb=256, output_mb=1)
BURN = "import time\nwhile time.process_time() < {seconds}:\n    pass\nprint(int(input()) * 2)\n"
COSTLY = {
    "half its time": BURN.format(seconds=0.5),
    "a loop": "while True:\n    pass\n",
    "too much memory": "x = [0] * 10**9\n",
    "a flood": "while True:\n    print('x' * 10000)\n",
    "an exception": "print(1 / 0)\n",
    "a syntax error": "print(\n",
}
COSTLY_EVERY = 20
"""One task of so many is one of COSTLY: more would make the run long."""
DOUBLE = {"inputs": ["1\n", "21\n"], "outputs": ["2\n", "42\n"]}


def jobs(count: int) -> Iterator[dict[str, Any]]:
    """`count` tasks: the benchmark's in turn, with costly ones in between."""
    plain = [task for kind in PROBLEMS for task in tasks(kind)]
    costly = [{"name": name, "program": program, "tests": DOUBLE} for name, program in COSTLY.items()]
    for number in range(count):
        pool, place = (
            (costly, number // COSTLY_EVERY) if number % COSTLY_EVERY == 0 else (plain, number - number // COSTLY_EVERY)
        )
        yield {**pool[place % len(pool)], "place": (pool is costly, place % len(pool))}


def judge(executor: Executor, job: dict[str, Any]) -> dict[str, Any]:
    """{"name", "place", "reason", "evidence", "seconds": wall time}."""
    start = time.monotonic()
    outcome = executor.run_tests(job["program"], job["tests"], LIMITS)
    return {
        "name": job["name"], "place": job["place"], "reason": outcome.reason, "evidence": outcome.evidence,
        "seconds": time.monotonic() - start,
    }  # fmt: skip


@contextmanager
def load(count: int) -> Iterator[None]:
    """`count` processes that compute for nothing, each in a session of its own: Linux shares the cores between sessions first."""
    command = [sys.executable, "-I", "-S", "-c", "while True:\n    pass"]
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen(command, start_new_session=True)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def run(verdicts: int, workers: int, busy: int) -> dict[str, Any]:
    """What was seen: {"reasons", "different": [...], "waited": how many met the backstop, "slowest", "seconds"}."""
    with Executor() as executor:
        alone: dict[Any, dict[str, Any]] = {}
        for job in jobs(verdicts):
            if job["place"] not in alone:
                alone[job["place"]] = judge(executor, job)
    reasons, different, slowest, waited, start = Counter(), [], {"seconds": 0.0}, 0, time.monotonic()
    with load(busy):
        for batch in run_jobs(jobs(verdicts), Executor, judge, workers, lambda: None):
            for seen in batch:
                wanted = alone[seen["place"]]
                reasons[seen["reason"] or "correct"] += 1
                waited += "waited" in seen["evidence"]
                slowest = max(slowest, seen, key=lambda each: each["seconds"])
                if (seen["reason"], seen["evidence"]) != (wanted["reason"], wanted["evidence"]):
                    different.append({"seen": seen, "alone": wanted})
    return {
        "verdicts": verdicts, "workers": workers, "busy": busy, "reasons": dict(reasons.most_common()),
        "different": different, "waited": waited, "slowest": slowest, "seconds": time.monotonic() - start,
    }  # fmt: skip


def main() -> int:
    """The command; returns the exit status."""
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=WORKERS_A_CORE * cores, help="default: 8 for each core")
    parser.add_argument("--busy", type=int, default=0, help="so many computing processes beside them; default: none")
    parser.add_argument("--json", type=Path, help="write what was seen to this file")
    given = parser.parse_args()
    found = run(given.verdicts, given.workers, given.busy)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(
        f"{given.verdicts} verdicts, {given.workers} workers on {cores} cores, {given.busy} busy processes: {found['seconds']:.0f} s"
    )
    print(", ".join(f"{reason} {count}" for reason, count in found["reasons"].items()))
    print(f"slowest: {found['slowest']['name']}, {found['slowest']['seconds']:.2f} s")
    print(f"met the wall-clock backstop of {LIMITS.wall:.0f} s: {found['waited']}")
    print(f"different from the verdict alone: {len(found['different'])}")
    for each in found["different"][:10]:
        seen, alone = each["seen"], each["alone"]
        print(
            f"  {seen['name']}: {seen['reason'] or 'correct'} {seen['evidence']}, alone {alone['reason'] or 'correct'} {alone['evidence']}"
        )
    return int(bool(found["different"] or found["waited"]))


if __name__ == "__main__":
    sys.exit(main())
