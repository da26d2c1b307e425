"""Jobs of one answerer help each other: an engine with idle slots answers rows of other shards, also of those that still wait.

Without it every job has a tail of its own, in which an engine works on its last few long traces, and every job starts an engine
(`python -m bench.sharing` compares). Rows do not depend on who answers them: identity, seed and text come from the shard's settings. So a
shard is the same with helpers and without; where helpers die, at most work is wasted.

    work/sharing/ANSWERER/plan.json     which shards this run makes (the driver writes it, recipe/order.py)
    work/sharing/ANSWERER/alive/NAME    signs of life (claims.Crew)
    work/traces/ANSWERER/SET/SHARD/
        traces.jsonl          the owner's journal: whoever runs the shard's own job, under its lease
        helped/NAME.jsonl     a helper's journal: one writer a file
        claims/               who answers which row (claims.Claims)
        owner                 the name of the owner

The owner writes what helpers have finished into its own journal, and the shard when all rows are there. File systems are
looked at when an engine has idle slots and at most every Sharing.seconds.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.canonical import canonical_json, digest
from ..common.errors import UserError
from ..common.files import read_json, write_text
from ..common.journal import Journal
from ..common.rows import QUESTIONS, read_rows
from .claims import Claims, Crew
from .expected import Expected
from .requests import Request, Row, made_by, requests_of

QUEUED_SECONDS = 7200.0
"""A job older than this helps running jobs only: what still waits gets an engine of its own, and what is done goes on to the next rule."""

AGAIN = 20
"""A shard without a free row is looked at again after this many times Sharing.seconds: when somebody may have died."""

AHEAD = 8
"""Shards of others are opened until they hold this many times the rows that we can have in flight."""

SAME = ("model", "engine", "endpoint", "environment")
"""Settings that must be equal for an engine to answer another set's rows."""


class Tail:
    """Reads what was appended to another job's journal, whole lines only; nothing if its header is another."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path, self._position = path, 0
        self._header = canonical_json({"journal": header}).encode()

    def read(self) -> list[Row]:
        """Rows since the last call."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self._position)
                data = stream.read()
        except FileNotFoundError:
            return []
        lines = data[: data.rfind(b"\n") + 1].splitlines(keepends=True)
        if self._position == 0 and lines and lines.pop(0).rstrip(b"\n") != self._header:
            return []
        if data and (lines or self._position == 0):
            self._position += data.rfind(b"\n") + 1
        found = []
        for line in lines:
            with contextlib.suppress(ValueError):  # a torn line, closed by a later writer: its row is made again
                found.append(json.loads(line))
        return found


@dataclass(frozen=True, eq=False)
class Place:
    """A shard of the plan."""

    settings: dict[str, Any]
    questions: Path
    out: Path
    work: Path

    @property
    def owner(self) -> str:
        """Who has its job, or had it last; "" when nobody ever had."""
        with contextlib.suppress(OSError):
            return (self.work / "owner").read_text(encoding="utf-8")
        return ""


class Shard:
    """Rows of one shard, as one of those sees them who answer them."""

    def __init__(self, place: Place, requests: list[Request], crew: Crew, rows: Iterable[Row] = ()) -> None:
        self.place, self.crew = place, crew
        self.header = made_by(place.settings)
        self.requests = {request.trace_id: request for request in requests}
        rows = list(rows)
        self.done = {row["trace_id"] for row in rows} & self.requests.keys()
        self.expected = Expected(place.out, rows)
        # Another code or environment is another journal, and so are its claims.
        self.claims = Claims(place.work / f"claims-{digest(self.header, 8)}", crew.name)
        self.mine: dict[str, int] = {}
        """Our claims, by number."""
        self.given_up: set[str] = set()
        self.free: dict[str, int] = {}
        """Rows that nobody answers, with the number of the claim to make; longest expected first."""
        self.tails: dict[Path, Tail] = {}

    def look(self, living: set[str], journals: list[Path]) -> list[Row]:
        """See what others have finished (returned) and what is free."""
        found = []
        for path in [*journals, *sorted((self.place.work / "helped").glob("*.jsonl"))]:
            if path.stem != self.crew.name:
                found += self.tails.setdefault(path, Tail(path, self.header)).read()
        found = [row for row in found if row["trace_id"] in self.requests]
        self.done.update(row["trace_id"] for row in found)
        last = self.claims.read()
        free = []
        for row, request in self.requests.items():
            number = last.get(row, 0)
            if row in self.done or row in self.mine or row in self.given_up:
                continue
            if not number or self.claims.holder(row, number) not in living:
                free.append((-self.expected.of(request.question_id), row, number + 1))
        self.free = {row: number for _, row, number in sorted(free)}
        return found

    def take(self, row: str) -> bool:
        """Claim a free row."""
        number = self.free.pop(row)
        if self.claims.take(row, number):
            self.mine[row] = number
            return True
        return False

    def give_back(self, row: str) -> None:
        """We could not answer it; perhaps another can."""
        self.claims.give_back(row, self.mine.pop(row))
        self.given_up.add(row)

    @property
    def complete(self) -> bool:
        """All rows are on disk."""
        return len(self.done) == len(self.requests)


class Sharing:
    """Work for one engine: its own shard, then the others of the plan. An implementation of generate.Work.

    Args:
        plan: plan.json; where it is missing or unreadable nobody is helped, but helpers are heard.
        settings, out, work: of our own shard.
        questions: the file of our questions.
        requests: our rows.
        journal: ours, open.
        revision: of our model (requests.revision_of): the others' rows are its too.
        concurrency: requests in flight at once.
        seconds: how often files are looked at.
    """

    def __init__(
        self,
        plan: Path,
        settings: dict[str, Any],
        questions: Path,
        out: Path,
        work: Path,
        requests: list[Request],
        journal: Journal,
        revision: str,
        concurrency: int,
        seconds: float = 15.0,
    ) -> None:
        self.journal, self.revision, self.concurrency, self.seconds = journal, revision, concurrency, seconds
        self.rows: list[Row] = []
        self.helped = self.for_others = 0
        self._journals: dict[Path, Journal] = {}
        self.crew = Crew(plan.parent / "alive", 2 * seconds)
        self._settings = settings
        self._started, self._looked = time.monotonic(), -math.inf
        self._living = [self.crew.name]
        place = Place(settings, questions, out, work)
        # We hold the shard's lease: whoever had it before us is dead, and so are all its claims.
        if place.owner:
            self.crew.bury(place.owner)
        write_text(work / "owner", self.crew.name)
        wanted = {request.trace_id for request in requests}
        self.rows += [row for key, row in journal.rows.items() if key in wanted]
        self._known = {row["trace_id"] for row in self.rows}
        self.own = Shard(place, requests, self.crew, self.rows)
        self.waiting = self._places(plan)
        """Shards of the plan that we have not opened."""
        self.others: list[Shard] = []
        self._closed: list[tuple[float, Place]] = []
        """Shards without a free row, and when they were looked at."""
        self._asked: dict[str, Shard] = {}
        """Whose row each request in flight is."""

    def _places(self, plan: Path) -> list[Place]:
        try:
            read = read_json(plan)
        except UserError:
            return []
        places = [
            Place(read["settings"][each["set"]], Path(each["questions"]), Path(each["out"]), Path(each["work"]))
            for each in read["shards"]
        ]
        return [
            place
            for place in places
            if place.work.resolve() != self.own.place.work.resolve()
            and all(place.settings.get(key) == self._settings.get(key) for key in SAME)
        ]

    # What complete_all asks for.

    def take(self, running: int) -> list[Request]:
        """Requests to start now."""
        room = self.concurrency - running
        if room <= 0:
            return []
        if not self.own.free and time.monotonic() - self._looked >= self.seconds:
            self.look()
        room = min(room, self._part() - running)
        found: list[Request] = []
        for shard, row in self._order():
            if len(found) >= room:
                break
            if shard.take(row):
                found.append(shard.requests[row])
                self._asked[row] = shard
        return found

    def keep(self, finished: list[tuple[Request, Row, bool]]) -> None:
        """Note rows that ended, on disk where they are permanent."""
        for request, row, permanent in finished:
            shard = self._asked.pop(request.trace_id)
            if shard is self.own:
                self._note([row], permanent)
            elif permanent:
                self._journal(shard).append(row)
                shard.done.add(request.trace_id)
                self.for_others += 1
            else:
                shard.give_back(request.trace_id)

    def over(self) -> bool:
        """No row of ours is missing, and nobody else has one that we could take."""
        if not self.own.complete:
            return False
        if time.monotonic() - self._looked >= self.seconds:
            self.look()
        return not any(shard.free for shard in self.others)

    @property
    def complete(self) -> bool:
        """Our own shard has all its rows."""
        return self.own.complete

    @property
    def engine_pays(self) -> bool:
        """We have a row that nobody answers, or others have enough of them to be worth the start of an engine."""
        return bool(self.own.free) or sum(len(shard.free) for shard in self.others) >= self.concurrency

    # Inside.

    def _note(self, rows: list[Row], permanent: bool = True) -> int:
        fresh = {row["trace_id"]: row for row in reversed(rows) if row["trace_id"] not in self._known}
        if permanent:
            self.journal.append(*fresh.values())
        self.rows += fresh.values()
        self._known |= fresh.keys()
        self.own.done |= fresh.keys()
        return len(fresh)

    def _journal(self, shard: Shard) -> Journal:
        path = shard.place.work / "helped" / f"{self.crew.name}.jsonl"
        if path not in self._journals:
            self._journals[path] = Journal(path, "trace_id", shard.header)
        return self._journals[path]

    def look(self) -> int:
        """Look at what others have done; returns how many of our rows they have finished."""
        self._looked = time.monotonic()
        living = set(self.crew.living())
        helped = self._note(self.own.look(living, []))
        self.helped += helped
        self._living = sorted(living)
        for shard in self.others:
            shard.look(living, [shard.place.work / "traces.jsonl"])
            if not self._open(shard.place, living):
                shard.free = {}
        kept = [shard for shard in self.others if shard.free or not shard.mine.keys() <= shard.done]
        self._closed += [(self._looked, shard.place) for shard in self.others if shard not in kept]
        self.others = kept
        self._open_more(living)
        return helped

    def _open(self, place: Place, living: set[str]) -> bool:
        """Whether we may help there."""
        if place.out.exists() or not place.questions.exists():
            return False
        return time.monotonic() - self._started < QUEUED_SECONDS or place.owner in living

    def _open_more(self, living: set[str]) -> None:
        again = self._looked - AGAIN * self.seconds
        self.waiting += [place for looked, place in self._closed if looked < again]
        self._closed = [each for each in self._closed if each[0] >= again]
        while self.waiting and sum(len(shard.free) for shard in self.others) < AHEAD * self.concurrency:
            place = self.waiting.pop(0)
            if self._open(place, living):
                shard = Shard(place, self._requests(place), self.crew)
                shard.look(living, [place.work / "traces.jsonl"])
                if shard.free:
                    self.others.append(shard)
                    continue
            self._closed.append((self._looked, place))

    def _requests(self, place: Place) -> list[Request]:
        return requests_of(read_rows(place.questions, QUESTIONS), place.settings, self.revision)

    def _order(self) -> list[tuple[Shard, str]]:
        """Free rows: ours first, then every n-th of the others', n the number of jobs, so that few want the same."""
        own = [(self.own, row) for row in self.own.free]
        others = [(shard, row) for shard in self.others for row in shard.free]
        others.sort(key=lambda each: -each[0].expected.of(each[0].requests[each[1]].question_id))
        count = len(self._living)
        place = self._living.index(self.crew.name)
        return own + [each for turn in range(count) for each in others[(place + turn) % count :: count]]

    def _part(self) -> int:
        """How many requests may be in flight, so that all engines end at about the same time.

        Where lengths are known, an equal part of what nobody has taken, for the longest were started first. Otherwise all: a
        trace that turns out long should have started early.
        """
        shards = [self.own, *self.others]
        known = sum(shard.expected.known != {} for shard in shards)
        if self.waiting or 2 * known <= len(shards):
            return self.concurrency
        return max(1, math.ceil(sum(len(shard.free) for shard in shards) / len(self._living)))

    def wait(self, pause: Callable[[float], None]) -> None:
        """Wait without an engine while others answer all that is left; returns when all is there or an engine pays."""
        self.look()
        while not self.complete and not self.engine_pays:
            pause(self.seconds)
            self.look()

    def sweep(self) -> None:
        """The shard is written: claims and helpers' journals have served."""
        shutil.rmtree(self.own.claims.folder, ignore_errors=True)
        for path in self.own.tails:
            path.unlink(missing_ok=True)

    def __enter__(self) -> Sharing:
        return self

    def __exit__(self, *_: object) -> None:
        for journal in self._journals.values():
            journal.close()
        self.crew.leave()
