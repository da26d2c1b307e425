"""Runs that take minutes, mostly of waiting: all that the chosen tests look at are made beside each other, before the first test.

    @long_run(after=("on_slurm",))
    def chain(runs):
        workspace = runs["on_slurm"].clone(runs.folder("chain"))
        …
        return workspace

makes `chain` a fixture of the session, whose value is what the function returns. If the function raises, the tests that ask for it fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from boot.layout import State

AT_ONCE = 4
"""Of them; each waits for Slurm and for itself more than it works."""


@dataclass(frozen=True)
class LongRun:
    """One of them: what makes it, and those that it needs."""

    make: Callable[[Runs], Any]
    after: tuple[str, ...]


KNOWN: dict[str, LongRun] = {}


def long_run(*, after: tuple[str, ...] = ()) -> Callable[[Callable[[Runs], Any]], Any]:
    """Turn a function of Runs into a fixture of the session."""

    def fixture(make: Callable[[Runs], Any]) -> Any:
        name = make.__name__
        KNOWN[name] = LongRun(make, after)

        @pytest.fixture(scope="session", name=name)
        def value(runs: Runs) -> Any:
            return runs[name]

        return value

    return fixture


def depth(name: str) -> int:
    """How many others one after the other it needs."""
    return max((1 + depth(each) for each in KNOWN[name].after), default=0)


class Runs:
    """The long runs of a session, and what they are made of.

    Attributes:
        cluster: the cluster.
        model: folder of the tiny model.
        images: folder of all container images, or None.
        verify_image: folder of the image that verdicts need, or None.
        folder: makes a new folder, by name.
    """

    def __init__(
        self, cluster: State, model: Path, images: Path | None, verify_image: Path | None, folder: Callable[[str], Path]
    ) -> None:
        self.cluster, self.model, self.images, self.verify_image, self.folder = (
            cluster, model, images, verify_image, folder,
        )  # fmt: skip
        self._made: dict[str, Future[Any]] = {}

    def make(self, names: Iterable[str]) -> None:
        """Make these and what they need, and wait for all; those that need others come last, so that no one waits for one not begun."""
        needed: set[str] = set()
        while names := [name for name in names if name not in needed]:
            needed.update(names)
            names = [each for name in names for each in KNOWN[name].after]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for name in sorted(needed, key=lambda name: (depth(name), list(KNOWN).index(name))):
                self._made[name] = pool.submit(KNOWN[name].make, self)

    def __getitem__(self, name: str) -> Any:
        """What a run came to, once it has ended; its exception if it failed."""
        return self._made[name].result()
