"""Eight engines share an evaluation: how late is the slowest, by policy? In simulated time, on published trace lengths.

    .venv/data/bin/python -m bench.sharing --seeds 100 --json results/bench/sharing.json --svg results/bench/sharing.svg

The policies end with the one that `thoughtline traces generate` follows (traces/helping.py).
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .decoding import BENCHMARKS, SPEEDS, Engine, Speed, Traces, evaluation

Pass = deque[int]
"""Traces in the order in which they start; the next pass starts when all of them have ended."""

GOAL = 1.05
"""Slowest / mean."""


@dataclass
class Job:
    """What one engine start is for."""

    passes: list[Pass]
    group: int = 0
    """Jobs of one group may help each other."""


@dataclass(frozen=True)
class Policy:
    """How an evaluation is cut into jobs, and who helps whom."""

    name: str
    jobs: Callable[[Traces, int], list[Job]]
    helps: bool = False
    queued: bool = False
    """Jobs that have not started yet are helped, too."""
    share: bool = False
    """An engine holds no more traces than its part of those that nobody has taken."""
    concurrency: int = 64


@dataclass(frozen=True)
class Outcome:
    """When each engine was done for good, seconds."""

    ends: np.ndarray
    done: np.ndarray
    """When each trace was."""

    @property
    def figures(self) -> tuple[float, float, float, float]:
        """Slowest / mean, slowest in minutes, mean in minutes, GPU-hours."""
        ends = self.ends
        return ends.max() / ends.mean(), ends.max() / 60, ends.mean() / 60, ends.sum() / 3600


def simulate(traces: Traces, jobs: list[Job], engines: int, policy: Policy, speed: Speed) -> Outcome:
    """Run all jobs: an engine that is free takes the first that waits, unless all its traces have been taken."""
    waiting, current = deque(jobs), [Job([]) for _ in range(engines)]
    running = [Engine(speed) for _ in range(engines)]
    ends, done = np.zeros(engines), np.full(len(traces.tokens), np.nan)
    events: list[tuple[float, int]] = []
    started: list[Job] = []

    def next_job(number: int, now: float) -> None:
        while waiting:
            job = waiting.popleft()
            if any(job.passes):
                current[number] = job
                started.append(job)
                heapq.heappush(events, (now + speed.start, number))
                return
        ends[number] = now

    def take(number: int) -> list[int]:
        job, busy = current[number], len(running[number].left)
        while len(job.passes) > 1 and not job.passes[0] and not busy:
            job.passes.pop(0)
        known = [each for each in (jobs if policy.queued else started) if each.group == job.group]
        queues = [job.passes[0], *(each.passes[0] for each in known if each is not job and policy.helps)]
        room = policy.concurrency - busy
        if policy.share:
            part = math.ceil(sum(len(queue) for queue in queues) / engines)
            room = min(room, max(part - busy, 0 if busy else 1))
        found: list[int] = []
        for queue in queues:
            while queue and len(found) < room:
                found.append(queue.popleft())
        return found

    for number in range(engines):
        next_job(number, 0.0)
    while events:
        now, number = heapq.heappop(events)
        engine = running[number]
        if len(engine.left):
            done[engine.advance()] = now
        if new := take(number):
            engine.add(new, traces.tokens)
        if len(engine.left):
            heapq.heappush(events, (now + engine.until_next(), number))
        else:
            next_job(number, now)
    return Outcome(ends, done)


def one_after_the_other(traces: Traces, shards: int) -> list[Job]:
    """A job a shard: set after set, run after run."""
    return [
        Job(
            [
                deque(np.flatnonzero((traces.even == shard) & (traces.benchmark == number) & (traces.sample == sample)))
                for number, each in enumerate(BENCHMARKS)
                for sample in range(each.samples)
            ]
        )
        for shard in range(shards)
    ]


def all_at_once(traces: Traces, shards: int) -> list[Job]:
    """A job a shard: all sets together."""
    return [Job([deque(np.flatnonzero(traces.even == shard))]) for shard in range(shards)]


def longest_sets_first() -> list[int]:
    """Numbers of the benchmarks."""
    return sorted(range(len(BENCHMARKS)), key=lambda number: -BENCHMARKS[number].factor)


def job_a_set(traces: Traces, shards: int, sets_are_groups: bool = True, expect: bool = False) -> list[Job]:
    """A job a set and hash shard, sets with long traces first."""
    found = []
    for number in longest_sets_first():
        for shard in range(shards):
            rows = np.flatnonzero((traces.benchmark == number) & (traces.shard == shard))
            if expect:
                rows = rows[np.argsort(-traces.expected[rows], kind="stable")]
            found.append(Job([deque(rows)], number if sets_are_groups else 0))
    return found


def finer(traces: Traces, shards: int) -> list[Job]:
    """Eight times as many shards."""
    random = np.random.default_rng(len(traces.tokens))
    fine = traces.shard * 8 + random.integers(8, size=len(traces.tokens))
    found = []
    for number in longest_sets_first():
        for shard in range(8 * shards):
            found.append(Job([deque(np.flatnonzero((traces.benchmark == number) & (fine == shard)))]))
    return found


def dealt(traces: Traces, shards: int) -> list[Job]:
    """As sharing jobs take them: own rows first, then the longest expected of all sets, each engine its own part first.

    The first set's shards are jobs; the rest is dealt out, an n-th to each, since nobody can start it without an engine.
    """
    jobs = job_a_set(traces, shards, sets_are_groups=False, expect=True)[:shards]
    rest = np.flatnonzero(traces.benchmark != longest_sets_first()[0])
    place = np.argsort(longest_sets_first())[traces.benchmark[rest]]
    rest = rest[np.lexsort((-traces.expected[rest], place))]
    for number, job in enumerate(jobs):
        job.passes[0].extend(rest[number::shards])
    return jobs


POLICIES = (
    Policy("set after set, run after run (one engine a shard)", one_after_the_other, concurrency=256),
    Policy("all sets at once (one engine a shard)", all_at_once),
    Policy("a job a set and shard", job_a_set),
    Policy("eight times as many shards", finer),
    Policy("help within a set", job_a_set, helps=True),
    Policy("help across sets", lambda *a: job_a_set(*a, sets_are_groups=False), helps=True, queued=True),
    Policy("help across sets, longest expected first", dealt, helps=True, queued=True),
    Policy("... and no more than an equal part of what is left", dealt, helps=True, queued=True, share=True),
)


def interval(values: np.ndarray) -> dict[str, float]:
    """Median and the middle 95 % over the seeds."""
    low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
    return {"median": round(float(middle), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def compare(speed: Speed, policies: tuple[Policy, ...], seeds: int, shards: int, known: float) -> dict[str, dict]:
    """Figures of each policy over seeds: {policy: {slowest_to_mean, slowest, mean (minutes), gpu_hours}}."""
    names = ("slowest_to_mean", "slowest", "mean", "gpu_hours")
    found: dict[str, dict] = {}
    for policy in policies:
        runs = []
        for seed in range(seeds):
            traces = evaluation(seed, shards, known)
            runs.append(simulate(traces, policy.jobs(traces, shards), shards, policy, speed).figures)
        columns = np.array(runs).T
        found[policy.name] = {name: interval(column) for name, column in zip(names, columns, strict=True)}
    return found


def draw(results: dict[str, dict[str, dict]], path: Path) -> None:
    """One row a policy: slowest / mean on the left, minutes until the last is done on the right."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "sharing", "svg.fonttype": "none", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(12, 4.6), layout="constrained")
        for axes, name, title in zip(
            figure.subplots(1, 2, sharey=True), ("slowest_to_mean", "slowest"),
            ("slowest / mean of 8 engines", "minutes until the last is done"), strict=True,
        ):  # fmt: skip
            for offset, (speed, found) in enumerate(results.items()):
                for place, figures in enumerate(found.values()):
                    each, y = figures[name], place + 0.24 * offset - 0.12
                    colour = f"C{offset}"
                    axes.plot([each["low"], each["high"]], [y, y], color=colour, linewidth=3, alpha=0.45)
                    axes.plot([each["median"]], [y], "o", color=colour, label=speed if place == 0 else None)
            axes.set_title(title, loc="left", fontsize=11)
            axes.grid(axis="x", alpha=0.4)
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.tick_params(left=False)
        first = figure.axes[0]
        first.axvline(GOAL, color="0.4", linestyle="--", linewidth=1)
        first.set_yticks(range(len(POLICIES)), [policy.name for policy in POLICIES])
        first.invert_yaxis()
        first.legend(frameon=False, loc="lower right")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def show(results: dict[str, dict[str, dict]]) -> None:
    """Print a table for each speed."""
    for speed, found in results.items():
        print(f"\n{speed:52} {'slowest/mean':>22} {'last, min':>10} {'mean, min':>10} {'GPU-h':>7}")
        for name, figures in found.items():
            ratio = figures["slowest_to_mean"]
            text = f"{ratio['median']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]"
            rest = (figures[key]["median"] for key in ("slowest", "mean", "gpu_hours"))
            print(
                f"{name:52} {text:>22} " + " ".join(f"{each:{w}.1f}" for each, w in zip(rest, (10, 10, 7), strict=True))
            )


def main() -> None:
    """Simulate, print, write."""
    parser = argparse.ArgumentParser(prog="bench.sharing", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, help="evaluations to simulate a policy (default: 100)")
    parser.add_argument("--shards", type=int, default=8, help="shards, and engines (default: 8)")
    parser.add_argument(
        "--known", type=float, default=0.6, metavar="SHARE",
        help="how much of the variance of log lengths earlier traces of a question explain (default: 0.6)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--svg", type=Path, help="draw them here (.svg or .png)")
    args = parser.parse_args()
    results = {name: compare(speed, POLICIES, args.seeds, args.shards, args.known) for name, speed in SPEEDS.items()}
    show(results)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        settings = {"seeds": args.seeds, "shards": args.shards, "known": args.known}
        args.json.write_text(json.dumps({**settings, "speeds": results}, indent=2) + "\n", encoding="utf-8")
    if args.svg:
        draw(results, args.svg)


if __name__ == "__main__":
    main()
