"""Job arrays (`slurm-array-jobs` of a profile): what they ask of a run, checked before anything is submitted.

One call of sbatch submits all tasks of an array, with the resources of the first. The Slurm plugin (2.8.0, run_jobs) forgets
jobs of such a rule for which there is room while more of them wait for room, and the run would never end; so there must
be room for all.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ..common.errors import UserError

ALL = "all"
KEY = "slurm-array-jobs"


def words_of(option: str) -> set[str]:
    """The names that the option lists, apart by commas or semicolons."""
    return {word.strip() for word in option.replace(";", ",").split(",")} - {""}


def chosen(option: str, rules: Iterable[str]) -> list[str]:
    """The rules that the option names.

    Args:
        option: names apart by commas or semicolons, or "all".
        rules: the rules that have jobs.

    >>> chosen("verify_traces, generate_traces", ["verify_traces", "train_model"])
    ['verify_traces']
    """
    words = words_of(option)
    return sorted(rule for rule in set(rules) if rule in words or ALL in words)


def check(option: str, known: Iterable[str], jobs: Iterable[tuple[str, str, Mapping[str, Any]]], room: int) -> None:
    """Refuse arrays that would starve some of their tasks, or never be submitted.

    Args:
        option: as in `chosen`.
        known: all rules that there are.
        jobs: (rule, what tells the job from others, resources) of each job of this run.
        room: how many jobs may be submitted at once.

    Raises:
        UserError: there is no such rule, tasks of one array ask for different things, or there are more jobs than room.
    """
    jobs = list(jobs)
    known = set(known)
    if unknown := sorted(words_of(option) - known - {ALL}):
        near = difflib.get_close_matches(unknown[0], known, 3) or sorted(known)
        raise UserError(KEY, f"there is no rule {unknown[0]!r}", f"say {', '.join(near)}")
    by_rule: dict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for rule, name, resources in jobs:
        by_rule[rule].append((name, resources))
    rules = chosen(option, by_rule)
    for rule in rules:
        (first, wanted), *others = by_rule[rule]
        for name, resources in others:
            differ = sorted(key for key in {*wanted, *resources} if wanted.get(key) != resources.get(key))
            if differ:
                told = ", ".join(f"{key} {wanted.get(key)} and {resources.get(key)}" for key in differ)
                raise UserError(
                    f"{KEY}: {rule}",
                    f"{first} and {name} ask for different things ({told}), and all tasks of an array get what the first asks for",
                    f"leave {rule} out of {KEY}, or make these in runs of their own",
                )
    if rules and len(jobs) > room:
        raise UserError(
            KEY,
            f"this run has {len(jobs)} jobs and room for {room} at a time, and jobs of an array that wait for room would never be submitted",
            f"give --jobs and --max-jobs-per-timespan {len(jobs)} or more, name fewer targets, or leave arrays out",
        )
