"""Raw generations of one model on one shard of questions: every (question, sample) ends as exactly one row.

Rows finish in any order and go to a journal at once; the shard is written when all are there. A row is taken from the
journal when its identity (rows.trace_id) is the same, so an interrupted run goes on where it was, more samples or
questions cost only what is new, and a changed prompt, model or sampling reuses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ..common.canonical import canonical_json
from ..common.deadline import Deadline
from ..common.errors import OutOfTime, UserError
from ..common.files import read_json
from ..common.journal import Journal
from ..common.progress import Progress
from ..common.rows import QUESTIONS, TRACES, read_rows, seed_of, write_rows
from .client import ChatClient, Reply, ServiceError
from .engine import with_sizes
from .helping import Sharing
from .prompts import Messages
from .reasoning import split_openthoughts
from .requests import Request, Row, made_by, requests_of, revision_of, rewriting_of
from .server import Server, serving

GRACE = 15.0
"""Seconds that running requests get to finish once the deadline has passed."""


@dataclass(frozen=True)
class Answer:
    """How a request ended: the last turn's reply, and the messages that it answers."""

    reply: Reply
    messages: Messages


@dataclass(frozen=True)
class Options:
    """What cannot change a result."""

    concurrency: int = 64
    retries: int = 5
    request_seconds: float = 1800
    linger: float = 0
    port: int | None = None
    servers: Path | None = None
    start_seconds: float = 1800
    nodes: int = 1
    """Nodes that share the server's workers."""
    tensor: int | None = None
    pipeline: int | None = None
    """Parallel sizes of the server, where the recipe gives none."""
    sharing: Path | None = None
    """The plan of jobs that help each other (helping.py); None: we are alone."""
    sharing_seconds: float = 15


def _summed(replies: list[Reply], name: str) -> int | None:
    known = [getattr(reply, name) for reply in replies if getattr(reply, name) is not None]
    return sum(known) if known else None


async def converse(client: ChatClient, request: Request) -> Answer:
    """Ask turn after turn, each with the replies before it; a turn that fails or is refused ends the conversation.

    The answer's reply is the last one, with the tokens of all; it is truncated if any turn's was cut off. Turns have
    seeds of their own. The thinking of a turn is not sent on, as chat templates of reasoning models do not either.
    """
    messages = request.messages
    replies = [await client.complete(messages, request.sampling, request.seed)]
    for number, turn in enumerate(request.turns, start=2):
        if replies[-1].status in ("failed", "refused"):
            break
        said = {"role": "assistant", "content": replies[-1].response or ""}
        messages = [*messages, said, {"role": "user", "content": turn}]
        seed = seed_of(f"{request.trace_id}/{number}", request.seed)
        replies.append(await client.complete(messages, request.sampling, seed))
    last = replies[-1]
    cut_off = last.status == "finished" and any(reply.status == "truncated" for reply in replies)
    whole = replace(
        last,
        status="truncated" if cut_off else last.status,
        prompt_tokens=_summed(replies, "prompt_tokens"),
        completion_tokens=_summed(replies, "completion_tokens"),
    )
    return Answer(whole, messages)


def row_of(request: Request, answer: Answer) -> Row:
    """A row of rows.TRACES."""
    reply = answer.reply
    if request.form == "openthoughts" and reply.reasoning is None and reply.response:
        reasoning, response = split_openthoughts(reply.response)
        reply = replace(reply, reasoning=reasoning, response=response)
    return {
        "trace_id": request.trace_id,
        "question_id": request.question_id,
        "sample": request.sample,
        "seed": request.seed,
        "status": reply.status,
        "finish_reason": reply.finish_reason,
        "reasoning": reply.reasoning,
        "response": reply.response,
        "error": reply.error,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "messages": canonical_json(answer.messages),
    }


class Work(Protocol):
    """Where requests come from and rows go to."""

    rows: list[Row]
    """Finished rows of the shard, from an earlier run or new."""

    def take(self, running: int) -> list[Request]:
        """Requests to start now, while `running` are in flight."""

    def keep(self, finished: list[tuple[Request, Row, bool]]) -> None:
        """Note (request, row, permanent) that ended.

        Not in the journal: rows that failed because all tries were used up, which another run may mend.
        """

    def over(self) -> bool:
        """Nothing is left to do once nothing is in flight."""

    @property
    def complete(self) -> bool:
        """The shard has all its rows."""


class Alone:
    """The rows of one shard that its journal lacks, in order."""

    def __init__(self, requests: list[Request], journal: Journal, concurrency: int) -> None:
        self.journal, self.concurrency, self._count = journal, concurrency, len(requests)
        self.rows = [journal.rows[request.trace_id] for request in requests if request.trace_id in journal.rows]
        self._left = deque(request for request in requests if request.trace_id not in journal.rows)

    def take(self, running: int) -> list[Request]:
        """The next requests."""
        return [self._left.popleft() for _ in range(min(self.concurrency - running, len(self._left)))]

    def keep(self, finished: list[tuple[Request, Row, bool]]) -> None:
        """Into the journal."""
        self.journal.append(*[row for _, row, permanent in finished if permanent])
        self.rows += [row for _, row, _ in finished]

    def over(self) -> bool:
        """Nothing waits."""
        return not self._left

    @property
    def complete(self) -> bool:
        """All rows are there."""
        return len(self.rows) == self._count


async def complete_all(
    work: Work,
    client: ChatClient,
    deadline: Deadline,
    progress: Progress,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Answer what `work` gives until it is over.

    Args:
        work: each row is handed to it as soon as it is finished.
        check: called about once a second; raises when the service is known to be gone.

    Raises:
        OutOfTime: the deadline has passed; requests that ran then had GRACE seconds to finish.
        ServiceError: the service is down; what had finished is kept.
    """
    running: dict[asyncio.Task[Answer], Request] = {}
    started, seen = time.monotonic(), len(work.rows)

    async def collect(seconds: float) -> None:
        nonlocal seen
        done, _ = await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        replies = [(running.pop(task), task) for task in done]
        broken = [task.exception() for _, task in replies if task.exception()]
        answered = [(request, task.result()) for request, task in replies if not task.exception()]
        work.keep([(request, row_of(request, answer), answer.reply.permanent) for request, answer in answered])
        rate = client.usage.completion_tokens / (time.monotonic() - started)
        progress.advance(len(work.rows) - seen, f"{rate:.0f} tokens/s")
        seen = len(work.rows)
        if broken:
            raise broken[0]  # type: ignore[misc]

    try:
        while True:
            if deadline.passed:
                end = time.monotonic() + GRACE
                while running and (left := end - time.monotonic()) > 0:
                    await collect(left)
                raise OutOfTime
            check()
            for request in work.take(len(running)):
                running[asyncio.create_task(converse(client, request))] = request
            if running:
                await collect(1.0)
            elif work.over():
                return
            else:
                await asyncio.sleep(1.0)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def key_of(endpoint: dict[str, Any]) -> str | None:
    """The endpoint's key from its environment variable."""
    name = endpoint.get("key_variable")
    if not name:
        return None
    if not os.environ.get(name):
        raise UserError(f"environment variable {name}", "is not set", f"set it to the key of {endpoint['url']}")
    return os.environ[name]


@contextlib.contextmanager
def _service(
    settings: dict[str, Any], model_json: Path | None, work: Path, options: Options, deadline: Deadline
) -> Iterator[tuple[Callable[[], ChatClient], Server | None]]:
    """How to reach who answers: a maker of clients, and the server if it is ours."""
    limits: dict[str, Any] = {
        "concurrency": options.concurrency,
        "retries": options.retries,
        "request_seconds": options.request_seconds,
    }
    endpoint = settings.get("endpoint")
    if endpoint:
        key = key_of(endpoint)
        yield lambda: ChatClient(endpoint["url"], endpoint["model"], key, **limits), None
        return
    assert model_json is not None
    folder = options.servers or (work.parent / "servers" if options.linger else work / "server")
    with serving(
        model_json,
        with_sizes(settings.get("engine") or {}, options.tensor, options.pipeline),
        folder=folder,
        linger=options.linger,
        port=options.port,
        start_seconds=options.start_seconds,
        deadline=deadline,
        nodes=options.nodes,
    ) as server:
        known = {"health_url": server.health_url, "diagnose": server.diagnose}
        yield lambda: ChatClient(server.base_url, server.model, **limits, **known), server


def _make(
    work: Work,
    count: int,
    label: str,
    settings: dict[str, Any],
    model_json: Path | None,
    folder: Path,
    options: Options,
    deadline: Deadline,
) -> dict[str, Any]:
    """Have all rows made that `work` lacks; returns what the sidecar says of it."""
    reused = len(work.rows)
    details: dict[str, Any] = {"rows_reused": reused}
    if work.complete:
        return details
    deadline.check()
    with _service(settings, model_json, folder, options, deadline) as (make_client, server):

        def check() -> None:
            if server and not server.alive():
                raise ServiceError("vLLM server", "ended while requests were running", server.diagnose())

        async def run() -> ChatClient:
            async with make_client() as client:
                with Progress(count, label, done=reused) as progress:
                    try:
                        await complete_all(work, client, deadline, progress, check)
                    except (OutOfTime, ServiceError):
                        if not work.complete:
                            raise
            return client

        started = time.monotonic()
        client = asyncio.run(run())
        seconds = time.monotonic() - started
    return details | {
        "server": list(server.command) if server else None,
        "requests": client.usage.requests,
        "retries": client.usage.retries,
        "prompt_tokens": client.usage.prompt_tokens,
        "output_tokens": client.usage.completion_tokens,
        "seconds": round(seconds, 3),
        "tokens_per_second": round(client.usage.completion_tokens / max(seconds, 1e-9), 1),
    }


def _pause(deadline: Deadline) -> Callable[[float], None]:
    """Sleep, unless the deadline passes."""

    def pause(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            deadline.check()
            time.sleep(min(left, 0.5))

    return pause


def generate(
    settings: dict[str, Any],
    model_json: Path | None,
    questions_file: Path,
    out: Path,
    work: Path,
    options: Options,
    deadline: Deadline,
    rewrites: Path | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the traces of one shard; returns the sidecar's (counts, details).

    Args:
        settings: recipe.settings.traces.
        model_json: the model's model.json; None for an endpoint.
        questions_file: a Parquet file of rows.QUESTIONS.
        out: the Parquet file of rows.TRACES to write.
        work: journal and server logs; kept, so that later runs reuse rows. The caller holds its lease.
        options: what cannot change the result.
        deadline: when to stop.
        rewrites: the traces to write anew, with a `rewrites` setting.

    Raises:
        OutOfTime: run again to go on.
        UserError: bad input, a service that is down, or a full disk; finished rows are kept.
    """
    model = read_json(model_json) if model_json else None
    revision = revision_of(settings, model)
    questions = read_rows(questions_file, QUESTIONS)
    if (rewrites is None) != (settings.get("rewrites") is None):
        right = "leave it out" if rewrites else f"give the traces of {settings['rewrites']}"
        raise UserError("--rewrites", f"does not fit the setting rewrites = {settings.get('rewrites')!r}", right)
    requests, rows_without = (
        rewriting_of(questions, settings, revision, rewrites)
        if rewrites
        else (requests_of(questions, settings, revision), [])
    )
    label = f"traces {out.parent.parent.name}/{out.parent.name} {out.stem}"
    try:
        with contextlib.ExitStack() as stack:
            journal = stack.enter_context(Journal(work / "traces.jsonl", "trace_id", made_by(settings)))
            shared: Sharing | None = None
            if options.sharing and not rewrites:
                where = (options.sharing, settings, questions_file, out, work)
                limits = (options.concurrency, options.sharing_seconds)
                shared = stack.enter_context(Sharing(*where, requests, journal, revision, *limits))
                shared.wait(_pause(deadline))
            task = shared or Alone(requests, journal, options.concurrency)
            details = _make(task, len(requests), label, settings, model_json, work, options, deadline)
            rows = [*task.rows, *rows_without]
            write_rows(out, rows, TRACES, ["question_id", "sample"])
            if shared:
                details |= {"rows_by_others": shared.helped, "rows_for_others": shared.for_others}
                shared.sweep()
    except OSError as error:
        raise UserError(
            str(error.filename or out),
            f"cannot be written ({error.strerror or error})",
            "make room or mend the folder, then run the same command again: finished rows are kept",
        ) from error
    status = Counter(row["status"] for row in rows)
    counts = {
        "in": len(questions) * settings["samples"],
        "out": len(rows),
        "dropped": {},
        "questions": len(questions),
        "status": dict(sorted(status.items())),
    }
    return counts, {"model": model["name"] if model else settings["endpoint"]["model"], "revision": revision, **details}
