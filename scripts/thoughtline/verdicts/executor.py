"""Run a program on tests in a sandbox, and compare what it does here, outside, where the expected outputs are.

    with Executor() as executor:
        executor.run_tests(program, {"inputs": ["1 2\\n"], "outputs": ["3\\n"]}, Limits())     -> Outcome

The jail's server (sandbox.py) is warm; each solution gets a fork of it. What decides is what the program does on a test in a
fresh fork. To save forks a child goes on to the next test in the same process for as long as all goes well: a test that it
passes so counts, one that it does not pass is run again, alone, in a fresh fork. CPU time decides over time_limit;
wall-clock time is a loose backstop for programs that sleep or wait.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import signal
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .compare import first_difference, result_of, same_result
from .lasting import may_last
from .sandbox import Limits, Run, Sandbox, SandboxError, Unprotected, best_mode, probe, unshielded
from .verdict import excerpt

__all__ = ["Executor", "Limits", "Outcome", "SandboxError", "Unprotected", "probe", "run_tests"]

FIRST_BATCH, GROWTH = 16, 4
"""After the first test a child is told to run 16 more, then 64 more, ...: few messages, and little lost when one fails."""
LARGEST_BATCH = 1024


@dataclass(frozen=True)
class Outcome:
    """`reason` is "" when every test passed, else wrong_answer, runtime_error, compile_error, time_limit, memory_limit
    or output_limit; `evidence` tells of the first test that failed."""

    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Every test ran and passed."""
        return not self.reason


@functools.cache
def _imports_of(prelude: str) -> tuple[str, ...]:
    """The modules that a prelude imports."""
    found = re.findall(r"^(?:from (\w+) import|import ([\w, ]+)$)", prelude, re.M)
    names = {name for module, modules in found for name in (module, *re.findall(r"\w+", modules)) if name}
    return tuple(sorted(names & set(sys.stdlib_module_names)))


def text_of(value: Any) -> str:
    """An input or output of a program as text; some sets give a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def last_words(stderr: bytes) -> str:
    """The last line of standard error, without addresses of memory (they change from run to run)."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return excerpt(re.sub(r"0x[0-9a-f]{6,}", "0x...", lines[-1])) if lines else ""


def failure_of(run: Run, limits: Limits) -> tuple[str, dict[str, Any]] | None:
    """(reason, evidence) when the run did not end well, else None."""
    if run.timed_out or run.cpu > limits.seconds or run.exit == -signal.SIGXCPU:
        return "time_limit", {"seconds": limits.seconds, **({"waited": True} if run.timed_out else {})}
    if run.full:
        return "output_limit", {"megabytes": limits.output_mb}
    if run.exit == 0:
        return None
    words = last_words(run.errors())
    if words.startswith("OSError: [Errno 27]"):
        return "output_limit", {"megabytes": limits.output_mb, "error": words}
    if re.match(r"(\w+\.)*_?(Array)?MemoryError\b", words):
        return "memory_limit", {"megabytes": limits.memory_mb, "error": words}
    return "runtime_error", {"exit": run.exit, "error": words}


def _shown_line(output: bytes, line: int) -> str | None:
    lines = output.split(b"\n", line + 1)
    return excerpt(lines[line].decode("utf-8", "replace"), 200) if line < len(lines) else None


def _values(text: str) -> int:
    """About how many values a JSON text holds, commas in strings among them."""
    return sum(map(text.count, ",[{"))


class _Programs:
    """Tests with standard input and output."""

    form = "program"

    def __init__(self, tests: dict[str, Any], comparison: str) -> None:
        self.inputs = [text_of(each).encode("utf-8", "surrogatepass") for each in tests["inputs"]]
        self.outputs = [text_of(each).encode("utf-8", "surrogatepass") for each in tests["outputs"]]
        self.comparison = comparison
        self.count = len(self.inputs)

    def request(self, first: int) -> tuple[dict[str, Any], bytes, bytes]:
        """(header, all inputs, the first input) of a run that begins with test `first`."""
        inputs = self.inputs[first:]
        return {"sizes": list(map(len, inputs))}, b"".join(inputs), inputs[0]

    def result(self, run: Run, begin: int, end: int | None) -> bytes:
        """What the program made of one test."""
        return run.output(begin, end)

    def shown(self, number: int) -> dict[str, Any]:
        """The test as evidence shows it."""
        return {"input": excerpt(self.inputs[number].decode("utf-8", "replace"), 200)}

    def difference(self, number: int, output: bytes) -> dict[str, Any] | None:
        """None when `output` is right, else what is wrong with it."""
        wanted = self.outputs[number]
        line = first_difference(output, wanted, self.comparison)
        if line is None:
            return None
        return {"line": line + 1, "expected": _shown_line(wanted, line), "got": _shown_line(output, line)}


class _Calls:
    """Tests that call a function."""

    form = "call"

    def __init__(self, tests: dict[str, Any], comparison: str) -> None:
        self.name = tests["fn_name"]
        # As a problem's JSON has them: a tuple that somebody's Python passes is a list to the program.
        self.arguments = [
            given if isinstance(given, list) else [given] for given in json.loads(json.dumps(tests["inputs"]))
        ]
        self.outputs, self.comparison = tests["outputs"], comparison
        self.count = len(self.arguments)

    def request(self, first: int) -> tuple[dict[str, Any], bytes, bytes]:
        """(header, nothing, nothing) of a run that begins with test `first`."""
        return {"name": self.name, "arguments": self.arguments[first:]}, b"", b""

    def result(self, run: Run, begin: int, end: int | None) -> bytes:
        """What one call returned, as JSON; empty when it did not return."""
        return run.results(begin, end)

    def shown(self, number: int) -> dict[str, Any]:
        """The test as evidence shows it."""
        return {"input": excerpt(json.dumps(self.arguments[number], ensure_ascii=False), 200)}

    def difference(self, number: int, output: bytes) -> dict[str, Any] | None:
        """None when the call returned what was expected, else what is wrong."""
        expected, text = self.outputs[number], output.decode("utf-8", "replace")
        try:
            # Megabytes of empty lists would be half a gigabyte of objects here: what has far more values is not even read.
            many = len(output) > 1 << 16 and _values(text) > 2 * _values(json.dumps(expected))
            if not many and same_result(result_of(text), expected, self.comparison):
                return None
        except (ValueError, RecursionError):
            pass
        return {"expected": excerpt(json.dumps(expected, ensure_ascii=False), 200), "got": excerpt(text, 200)}


class Executor:
    """Warm jails, for one thread.

    Args:
        unprotected: what of sandbox.PROTECTIONS may be missing; default: nothing.
        mode: one of sandbox.MODES; default: the best that works here.
        without: layers to leave out (to try what is left).
        alone: a fresh child for every test (slower; no verdict differs, but for what lasting.py does not see).
    """

    def __init__(
        self,
        unprotected: Iterable[str] = (),
        *,
        mode: str | None = None,
        without: tuple[str, ...] = (),
        alone: bool = False,
    ) -> None:
        self._unprotected, self._mode, self._without, self._alone = frozenset(unprotected), mode, without, alone
        self._jails: dict[tuple[str, ...], Sandbox] = {}

    def _jail(self, preload: tuple[str, ...] = (), grader: bool = False) -> Sandbox:
        key = (*preload, "grader") if grader else preload
        if key not in self._jails:
            jail = Sandbox(self._mode, preload, self._without, grader)
            if missing := [each for each in unshielded(jail.layers) if each not in self._unprotected]:
                jail.close()
                raise Unprotected(missing, {**(best_mode()[1] if self._mode is None else {}), **jail.refused})
            self._jails[key] = jail
        return self._jails[key]

    def close(self) -> None:
        """End the jails; a later run starts new ones."""
        for jail in self._jails.values():
            jail.close()
        self._jails = {}

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run_tests(
        self, program: str, tests: dict[str, Any], limits: Limits, comparison: str = "lines", prelude: str = ""
    ) -> Outcome:
        """Run `program` on every test, until one fails.

        Args:
            program: Python source, untrusted.
            tests: {"inputs", "outputs"} of equal length, at least one; "fn_name" makes each input the list of arguments of a
                call of this function (or method of `class Solution`), without it an input is the text of standard input. Or
                {"asserts", "setup"?, "preamble"?, "names"?}, see jail/asserts.py.
            comparison: rule for outputs, see compare.py.
            prelude: source that is run before the program, in its namespace.

        Raises:
            Unprotected: this machine lacks a protection that may not be missing.
            SandboxError: no jail can be built, or it failed; nothing is known of the program.
        """
        try:
            if "asserts" in tests:
                return self._asserts(program, tests, limits, prelude)
            cases = (_Calls if tests.get("fn_name") else _Programs)(tests, comparison)
            return self._cases(program, cases, limits, prelude)
        except SandboxError:
            if any(
                jail.out_of_memory for jail in self._jails.values()
            ):  # of the whole jail: its server may be what went
                self.close()
                return Outcome("memory_limit", {"megabytes": limits.memory_mb})
            shared = any(
                "namespaces" not in jail.layers and "seccomp" not in jail.layers for jail in self._jails.values()
            )
            self.close()
            if not shared:
                raise
            # Where nothing keeps a program from signalling its own server, it may have ended it: no right program does.
            return Outcome("runtime_error", {"error": "the program ended its own sandbox"})
        except BaseException:
            self.close()  # a run may still be going on in there, and its report would be taken for the next one's
            raise

    def _home(self, program: str, prelude: str) -> Sandbox:
        # A jail that has numpy loaded, or what LeetCode has, forks dearer; but to import them in a child costs fifty times that.
        return self._jail((*_imports_of(prelude), *(("numpy",) if "numpy" in program else ())))

    def _cases(self, program: str, cases: Any, limits: Limits, prelude: str) -> Outcome:
        number, total, careful, doubted = 0, {"tests": cases.count}, may_last(program), False
        while number < cases.count:
            passed, reason, evidence = self._stretch(program, cases, number, limits, prelude, careful)
            if reason:
                at = {} if reason == "compile_error" else {"test": number, **total, **cases.shown(number)}
                return Outcome(reason, {**at, **evidence})
            if doubted:  # wrong after other tests, right alone: no answer that follows another one counts
                number, careful, doubted = 0, True, False
                continue
            number, doubted = number + passed, bool(evidence)
        return Outcome("", total)

    def _stretch(
        self, program: str, cases: Any, first: int, limits: Limits, prelude: str, alone: bool
    ) -> tuple[int, str, dict[str, Any]]:
        """(tests passed from `first` on, reason, evidence): in one child; a reason is given of its first test only. Evidence
        without a reason is of the test after those that passed."""
        header, inputs, stdin = cases.request(first)
        count = 1 if self._alone or alone else cases.count - first
        request = {
            "form": cases.form,
            "program": program,
            "prelude": prelude,
            "count": count,
            "careful": alone,
            **header,
        }
        jail = self._home(program, prelude)
        with jail.run(request, inputs, stdin, limits) as run:
            compiled = run.hear() == b"compiled"
            ends, wrong = _talk(run, cases, first, count) if compiled else ([], None)
            if wrong is not None and wrong[0] > 0:
                return wrong[0], "", wrong[1] or {"wrong": True}
            if wrong is not None:
                return 0, "wrong_answer", wrong[1]
            failed = run.cpu > limits.seconds or run.exit != 0
            # In the test that ended last (the program itself can say that it has ended), or in the next?
            if ends and failed and count > 1:
                if len(ends) > 1:
                    return len(ends) - 1, "", {}
                return self._stretch(program, cases, first, limits, prelude, alone=True)
            if ends and not failed:
                return len(ends), "", {}
            # The child ended in its first test, by itself or not: what it left behind decides.
            if jail.out_of_memory:
                return 0, "memory_limit", {"megabytes": limits.memory_mb}
            failure = failure_of(run, limits)
            if not compiled:
                return (0, *_not_compiled(failure))
            if failure:
                return 0, *failure
            output = cases.result(run, 0, None)
            if cases.form == "call" and not output:
                return 0, "runtime_error", {"exit": run.exit, "error": "the call did not return"}
            difference = cases.difference(first, output)
            return (0, "wrong_answer", difference) if difference else (1, "", {})

    def _asserts(self, program: str, tests: dict[str, Any], limits: Limits, prelude: str) -> Outcome:
        total = {"tests": len(tests["asserts"])}
        ask = {"form": "grade", **{key: tests.get(key) or default for key, default in _ASSERTS.items()}}
        serve = {"form": "serve", "program": program, "prelude": prelude, "preamble": tests.get("preamble") or ""}
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.ExitStack() as stack:
            for end in ends:
                stack.callback(end.close)
            # Each run closes the end that it does not hand over, so each gets a copy of its own of that.
            grader = stack.enter_context(self._jail(grader=True).run(ask, b"", b"", limits, line=_line(ends[0])))
            run = stack.enter_context(self._home(program, prelude).run(serve, b"", b"", limits, line=_line(ends[1])))
            for end in ends:
                end.close()
            grader.wait()
            run.wait()
            failure, stuck = failure_of(run, limits), failure_of(grader, limits)
            try:
                said = json.loads(grader.results())
            except ValueError:
                # With the program's values the tests may need more time or memory than there is.
                for reason, evidence in filter(None, (failure, stuck)):
                    if failure or reason in ("time_limit", "memory_limit"):
                        return Outcome(reason, {**total, **evidence})
                raise SandboxError(f"the tests did not end: {grader.exit}, {last_words(grader.errors())}") from None
        return _graded(said, failure, total)


_ASSERTS: dict[str, Any] = {"setup": "", "asserts": [], "names": {}}


def _line(theirs: socket.socket) -> tuple[socket.socket, socket.socket]:
    """For a child that talks to another one: a socket that says nothing to us, and the one that it is given."""
    ours, unused = socket.socketpair()
    unused.close()
    return ours, theirs.dup()


def _graded(said: dict[str, Any], failure: tuple[str, dict[str, Any]] | None, total: dict[str, Any]) -> Outcome:
    """The outcome of assert-style tests.

    Args:
        said: what asserts.check returned.
        failure: what went wrong with the program's process.
    """
    kind = said.get("kind")
    if kind == "unsendable":
        raise SandboxError(f"the tests cannot be run: {said['error']} ({said['line']})")
    if kind == "compile":
        return Outcome(*_not_compiled(failure))
    at = {} if kind == "load" else {"test": said.get("test", 0)}
    if failure and (failure[0] in ("time_limit", "output_limit", "memory_limit") or kind in ("load", "gone")):
        return Outcome(failure[0], {**at, **total, **failure[1]})
    if said["passed"]:
        return Outcome("", total)
    if kind == "raised" and str(said.get("error")).startswith("MemoryError"):
        return Outcome("memory_limit", {**at, **total, "error": said["error"]})
    evidence = {**at, **total, **{key: said[key] for key in ("line", "error") if said.get(key)}}
    if "error" in evidence:
        evidence["error"] = re.sub(r"0x[0-9a-f]{6,}", "0x...", evidence["error"])
    return Outcome("wrong_answer" if kind in ("assertion", "error") else "runtime_error", evidence)


def _not_compiled(failure: tuple[str, dict[str, Any]] | None) -> tuple[str, dict[str, Any]]:
    if failure and failure[0] == "time_limit":
        return "time_limit", {"error": "compiling took too long"}
    return "compile_error", {"error": (failure or ("", {}))[1].get("error", "the compiler ended")}


def _talk(run: Run, cases: Any, first: int, count: int) -> tuple[list[int], tuple[int, dict[str, Any]] | None]:
    """Let the child go on for as long as its outputs are right.

    Returns:
        (the ends of the outputs that are right, (how many tests before a wrong one, what is wrong) or None).
    """
    ends: list[int] = []
    granted, batch = 1, FIRST_BATCH
    while (message := run.hear()) is not None:
        told = _ends(message)[: count - len(ends)]
        if not told:  # nothing that a child of ours says: a program has got hold of the line, and is left alone with it
            run.hang_up()
        for end in told:
            begin = ends[-1] if ends else 0
            difference = cases.difference(first + len(ends), cases.result(run, begin, end)) if end >= begin else {}
            if difference is not None:
                run.hang_up()
                run.wait()
                return ends, (len(ends), difference)
            ends.append(end)
        if granted == len(ends) < count:
            batch_now = min(batch, LARGEST_BATCH, count - granted)
            granted, batch = granted + batch_now, batch * GROWTH
            with contextlib.suppress(OSError):
                run.line.send(str(batch_now).encode())
    return ends, None


def _ends(message: bytes) -> list[int]:
    """The numbers of a child's message; what is none is dropped, since a program may have written it."""
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return []
    return [end for end in found if type(end) is int and 0 <= end < 1 << 40] if isinstance(found, list) else []


def run_tests(
    program: str, tests: dict[str, Any], limits: Limits, comparison: str = "lines", prelude: str = ""
) -> Outcome:
    """Executor.run_tests, once, in a jail of its own."""
    with Executor() as executor:
        return executor.run_tests(program, tests, limits, comparison, prelude)
