"""What took how long, and on which Slurm jobs: the only part of the page that differs between two equal runs."""

from __future__ import annotations

import datetime
import math
from typing import Any

from .collect import Results
from .numbers import DASH, count, megabytes, plain, seconds

STAGES = ("questions", "models", "traces", "verdicts", "agreement", "datasets", "scores", "drafts")
"""Folders of artifacts and of benchmark files, in the order of the pipeline."""


def plain_number(value: Any) -> float | None:
    """A finite number, or None."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def _when(moment: datetime.datetime | None) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC") if moment else DASH


def jobs_of(results: Results) -> list[dict[str, Any]]:
    """Jobs as their sidecars tell: {artifact, started, finished, wall}; several outputs of one job count once."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for artifact, sidecar in results.sidecars.items():
        started, finished = (datetime.datetime.fromisoformat(sidecar[key]) for key in ("started", "finished"))
        key = (artifact.split("/")[0], sidecar["started"], " ".join(sidecar.get("command") or []))
        wall = (finished - started).total_seconds()
        if key not in found or found[key]["wall"] < wall:
            found[key] = {"artifact": artifact, "started": started, "finished": finished, "wall": wall}
    return list(found.values())


def _name_of(path: str, depth: int) -> str:
    return " / ".join(path.split("/")[:depth])


def stage_rows(results: Results, depth: int = 1) -> list[dict[str, Any]]:
    """One row a stage: jobs, wall and CPU seconds summed over jobs, largest memory of a job in MB.

    A job's figures are those of its Snakemake benchmark file (which covers the whole job and knows CPU and memory);
    without one its sidecar tells the wall time. `depth` 2 gives one row a set, model or dataset of each stage.
    """
    jobs = [(row["job"], row) for row in results.benchmarks if row["job"].split("/")[0] in STAGES]
    covered = tuple(f"{name}{end}" for name, _ in jobs for end in "/.")
    jobs += [
        (job["artifact"], {"s": job["wall"], "cpu_time": None, "max_rss": None})
        for job in jobs_of(results)
        if not job["artifact"].startswith(covered)
    ]
    grouped: dict[str, list[dict[str, Any]]] = {}
    for name, row in sorted(jobs, key=lambda job: (STAGES.index(job[0].split("/")[0]), job[0])):
        grouped.setdefault(_name_of(name, depth), []).append(row)
    rows = []
    for name, parts in grouped.items():
        wall, cpu = (
            _sum([plain_number(part["s"]) for part in parts]),
            _sum([plain_number(part["cpu_time"]) for part in parts]),
        )
        memory = [value for part in parts if (value := plain_number(part["max_rss"])) is not None]
        largest = max(memory, default=None)
        rows.append(
            {
                "stage": name, "jobs": len(parts), "wall": wall, "wall_text": seconds(wall), "cpu": cpu,
                "cpu_text": seconds(cpu), "memory": largest, "memory_text": megabytes(largest),
            }
        )  # fmt: skip
    return rows


def measured(results: Results) -> str:
    """How many jobs have a benchmark file with CPU time."""
    return count(sum(plain_number(row["cpu_time"]) is not None for row in results.benchmarks))


def training_rows(results: Results) -> list[dict[str, str]]:
    """Wall time and speed of each training, from its summary (training.json)."""
    rows = []
    for name, model in results.models.items():
        if facts := model.summary:
            threads = facts.get("threads")
            rows.append(
                {
                    "model": name,
                    "train": seconds(facts.get("train_seconds")),
                    "around": seconds(_sum([plain_number(facts.get(key)) for key in ("load_seconds", "save_seconds")])),
                    "rate": count(facts.get("tokens_per_second")),
                    "interruptions": count(facts.get("interruptions")),
                    "ranks": plain(facts.get("ranks")),
                    "device": plain(facts.get("device")) + (f", {threads} threads a rank" if threads else ""),
                }
            )
    return rows


def totals(rows: list[dict[str, Any]], results: Results) -> dict[str, str]:
    """Sums over stages, and the time from the first start to the last finish (pauses between runs included)."""
    jobs = jobs_of(results)
    span = None
    if jobs:
        first, last = min(job["started"] for job in jobs), max(job["finished"] for job in jobs)
        span = (last - first).total_seconds()
    return {
        "jobs": count(sum(row["jobs"] for row in rows)),
        "wall": seconds(_sum([row["wall"] for row in rows])),
        "cpu": seconds(_sum([row["cpu"] for row in rows])),
        "memory": megabytes(max((row["memory"] for row in rows if row["memory"] is not None), default=None)),
        "span": seconds(span),
        "first": _when(min((job["started"] for job in jobs), default=None)),
        "last": _when(max((job["finished"] for job in jobs), default=None)),
    }


def slurm_jobs(results: Results) -> list[str]:
    """Ids of the Slurm jobs that made the artifacts."""
    found = {(sidecar.get("slurm") or {}).get("slurm_job_id") for sidecar in results.sidecars.values()}
    return sorted(each for each in found if each)
