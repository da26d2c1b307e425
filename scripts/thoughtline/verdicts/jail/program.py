"""In a forked child: run a program on test after test, each as if it were alone.

The child belongs to the program from the moment that it runs, so nothing that it says is believed: it hands over bytes, and
whoever holds the expected outputs decides. It stops early, for a fresh child to go on, wherever a test left something behind
that the next might meet: a file, a thread, a changed environment, much CPU time used.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import io
import json
import os
import random
import sys
import threading
import time
from types import CodeType, ModuleType
from typing import Any

SEED = 20_250_128
"""Every test starts from the same random state, so that a verdict on a randomised program can be repeated."""

RECURSION = 1006
"""Python's limit of 1,000 calls and our own six below a program."""

VISIBLE_END = ("open", "IO", "Writer", "__del__", "finalize")
"""A program that has none of these words makes nothing whose end can be seen (a file that is written, a method that is called)."""


def _stream(descriptor: int, mode: str, name: str, errors: str, line_by_line: bool = False) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, mode, closefd=False)
    raw.name = name
    buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    stream = io.TextIOWrapper(buffer, "utf-8", errors, "\n", line_by_line)
    stream.mode = mode  # type: ignore[misc]
    return stream


READY = 17
"""Sets of streams that a server has ready; more tests than these in one child make their own."""
_ready: list[tuple[io.TextIOWrapper, io.TextIOWrapper, io.TextIOWrapper]] = []
_first: list[io.TextIOBase] = []
"""The server's own streams, kept so that no child need take them apart."""


def _streams() -> tuple[io.TextIOWrapper, io.TextIOWrapper, io.TextIOWrapper]:
    return (
        _stream(0, "r", "<stdin>", "surrogateescape"),
        _stream(1, "w", "<stdout>", "surrogateescape"),
        _stream(2, "w", "<stderr>", "backslashreplace", True),
    )


def make_streams() -> None:
    """In the server: streams on descriptors 0 to 2, whatever these are once they are used; to make them in a fork costs it ten times as much."""
    _ready.extend(_streams() for _ in range(READY))
    _first.extend((sys.stdin, sys.stdout, sys.stderr))


def open_streams() -> None:
    """sys.stdin, stdout and stderr on descriptors 0 to 2, as a new interpreter opens them (UTF-8 mode)."""
    streams = _ready.pop() if _ready else _streams()
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams


def new_module(name: str, prelude: CodeType | None) -> dict[str, Any]:
    """The namespace of a new module called `name`, after `prelude`."""
    module = ModuleType(name)
    sys.modules[name] = module
    namespace = module.__dict__
    namespace["__builtins__"] = builtins if name == "__main__" else __builtins__
    namespace["__file__"] = "program.py"
    if prelude:
        exec(prelude, namespace)
    return namespace


def exit_status(error: BaseException) -> int:
    """What a new interpreter would exit with after this exception; it is written to standard error as there."""
    if not isinstance(error, SystemExit):
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF if abs(error.code) < 1 << 63 else 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _flush(*names: str) -> None:
    for name in names:
        stream = getattr(sys, name, None)
        try:
            closed = getattr(stream, "closed", False)
        except ValueError:  # its buffer has been detached, and serves another stream
            continue
        if not closed and hasattr(stream, "flush"):
            stream.flush()


def finish(namespace: dict[str, Any], collect: bool = True) -> None:
    """What an interpreter does at its end: wait for threads, run exit functions, flush, let go of everything.

    Args:
        collect: there may be something in a cycle of references whose end can be seen.
    """
    if threading.active_count() > 1:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
    atexit._run_exitfuncs()
    _flush("stdout", "stderr")
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    namespace.clear()  # a file that was never closed is written when the last reference to it goes
    if collect:
        gc.collect()
    _flush("stdout", "stderr")


def convert(value: object) -> object:
    """json's `default`: numpy's scalars and arrays stand for numbers and lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a result of type {type(value).__name__} cannot be compared")


def function_of(namespace: dict[str, Any], name: str, given: Any) -> Any:
    """This method of a new Solution, or the function called `name`.

    Args:
        given: what had this name before the program began (a prelude's), which is not the program's.
    """
    # The class first: with `from heapq import *` there is a function `merge` too, and that is not the program's.
    if hasattr(namespace.get("Solution"), name):
        return getattr(namespace["Solution"](), name)
    if namespace.get(name) is not given:
        return namespace[name]
    raise NameError(f"the program defines no function {name}")


class Stream:
    """The tests of one request, one after the other in this process.

    Args:
        request: {"program", "prelude", "form": "program"|"call", "name"?, "count", "sizes"|"arguments", "careful"?: the
            program may change built-in names, "pause_after": CPU seconds after which a fresh child goes on,
            "file_bytes": the largest input that can be written here}.
        inputs: all inputs of the form "program", one after the other.
        line: descriptor of a socket, on which the supervisor says how many tests to run and is told where the output of each ends.
        result: descriptor for the results of calls.
        scratch: the folder that must be empty.
    """

    def __init__(self, request: dict[str, Any], inputs: memoryview, line: int, result: int, scratch: str) -> None:
        self.request, self.inputs, self.line, self.result, self.scratch = request, inputs, line, result, scratch
        self.stdin, self.stdout = os.dup(0), os.dup(1)  # a program may close its own
        self.saved = dict(vars(builtins)) if request.get("careful") else None
        self.visible_end = any(word in request["program"] for word in VISIBLE_END)
        self.randomised = "random" in request["program"]
        self.kept = result if request["form"] == "call" else self.stdout
        self.ends: list[int] = []
        self.position = 0

    def run(self) -> int:
        """Run until the tests are over, one goes wrong, or a fresh child must go on; returns the exit status."""
        request = self.request
        code = compile(request["program"].removeprefix("\ufeff"), "program.py", "exec", dont_inherit=True)
        prelude = compile(request["prelude"], "prelude.py", "exec") if request["prelude"] else None
        os.write(self.line, b"compiled")
        one = self.call if request["form"] == "call" else self.program
        count, granted = request["count"], 1
        for number in range(count):
            if number == granted:
                granted += self.ask()
            if number == granted or (number and not self.prepare(number)):
                return 0
            status = one(number, code, prelude)
            if status is None or status:
                self.tell()
                return status or 0
            try:
                self.ends.append(os.lseek(self.kept, 0, os.SEEK_END))
                if number + 1 < count and not self.clean():
                    break
            except OSError:  # the program has closed what we need to go on
                break
        self.tell()
        return 0

    def tell(self) -> None:
        """Say where the outputs of the tests since the last message end."""
        with contextlib.suppress(OSError):
            os.write(self.line, f"[{','.join(map(str, self.ends))}]".encode())
        self.ends = []

    def ask(self) -> int:
        """Say it, and be told how many tests to go on with (0: no more)."""
        self.tell()
        return int(os.read(self.line, 64) or 0)

    def clean(self) -> bool:
        """Whether the last test left nothing behind."""
        return (
            threading.active_count() == 1
            and not os.listdir(self.scratch)
            and not os.environ
            and time.process_time() < self.request["pause_after"]
        )

    def prepare(self, number: int) -> bool:
        """Put the input of the next test into place; False if that cannot be done here."""
        os.chdir(self.scratch)
        if self.request["form"] == "call":
            return True
        size = self.request["sizes"][number]
        if size > self.request["file_bytes"]:
            return False
        os.ftruncate(self.stdin, 0)
        os.pwrite(self.stdin, self.inputs[self.position : self.position + size], 0)
        os.lseek(self.stdin, 0, os.SEEK_SET)
        os.dup2(self.stdin, 0)
        os.dup2(self.stdout, 1)
        os.lseek(1, 0, os.SEEK_END)
        return True

    def restore(self) -> None:
        """Built-in names as they were, so that what follows can count on them."""
        if self.saved is not None:
            live = self.saved["vars"](builtins)
            live.clear()
            live.update(self.saved)

    def begin(self, number: int) -> None:
        """A new interpreter's state, as far as programs look."""
        open_streams()
        sys.argv = ["program.py"]
        sys.setrecursionlimit(RECURSION)
        sys.set_int_max_str_digits(0)
        if number and self.randomised:
            random.seed(SEED)
        if numpy := sys.modules.get("numpy"):
            numpy.random.seed(SEED % 2**32)

    def end(self, namespace: dict[str, Any], status: int) -> int:
        """What an interpreter does at its end; returns `status`."""
        self.restore()
        finish(namespace, self.visible_end)
        self.restore()
        return status

    def program(self, number: int, code: CodeType, prelude: CodeType | None) -> int:
        """Run the program as a script."""
        self.position += self.request["sizes"][number]
        self.begin(number)
        namespace = new_module("__main__", prelude)
        status = 0
        try:
            exec(code, namespace)
        except BaseException as error:
            self.restore()
            status = exit_status(error)
            del error
        return self.end(namespace, status)

    def call(self, number: int, code: CodeType, prelude: CodeType | None) -> int | None:
        """Load the program as a module and call its function; the result is written down as JSON. None: it did not return."""
        dumps, write, text, returned = json.dumps, os.write, b"", False
        self.begin(number)
        namespace = new_module("program", prelude)
        status = 0
        try:
            given = namespace.get(self.request["name"])
            exec(code, namespace)
            function = function_of(namespace, self.request["name"], given)
            text = dumps(function(*self.request["arguments"][number]), default=convert).encode()
            returned = True
            while text:
                text = text[write(self.result, text) :]
        except BaseException as error:
            self.restore()
            status = exit_status(error)
            del error
        status = self.end(namespace, status)
        return status if status or returned else None
