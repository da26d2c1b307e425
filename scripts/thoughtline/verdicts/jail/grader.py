"""The grader of assert-style tests: holds the asserts, and reaches the program in the other jail (asserts.py) over a line."""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import os
import socket
import symtable
import sys
import traceback
from collections.abc import Iterator
from types import CodeType
from typing import Any

from .asserts import Gone, pack, receive, send, unpack
from .program import open_streams


class Raised(Exception):
    """The program raised this."""


class Unsendable(Exception):
    """The tests pass something to the program that no message can hold."""


class Handle:
    """In the grader: an object of the program."""

    def __init__(self, grader: Grader, number: int) -> None:
        object.__setattr__(self, "_grader", grader)
        object.__setattr__(self, "_number", number)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call it in the program's process."""
        return self._grader.call(self, list(arguments), keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._grader.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._grader.ask("set", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._grader.ask("item", self, key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._grader.ask("items", self))

    def __len__(self) -> int:
        return self._grader.ask("length", self)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, value: Any) -> bool:
        return self._grader.ask("contains", self, value)

    def __str__(self) -> str:
        return self._grader.ask("text", self)


_NEVER = (AssertionError, StopIteration, StopAsyncIteration)
"""What a program raises never passes for these: a test that goes through a map would just end there, and pass."""


def _exception(name: str, text: str) -> Exception:
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception) and kind not in _NEVER:
        return type(name, (Raised, kind), {})(text)
    return Raised(f"{name}: {text}")


class Grader:
    """The grader's end of the line."""

    def __init__(self, line: socket.socket, most: int) -> None:
        self.line, self.most = line, most
        self.lost: Gone | Unsendable | None = None  # kept, since a test may catch everything

    def _pack(self, value: Any) -> Any:
        def handle(each: Any) -> list[Any]:
            if isinstance(each, Handle):
                return ["handle", each._number]
            self.lost = Unsendable(f"an argument of type {type(each).__name__} cannot be sent to a program")
            raise self.lost

        return pack(value, handle)

    def _unpack(self, message: Any) -> Any:
        return unpack(message, lambda number: Handle(self, number))

    def _exchange(self, *wish: Any) -> list[Any]:
        try:
            send(self.line, [wish[0], *map(self._pack, wish[1:])])
            answer = receive(self.line, self.most)
        except (OSError, Gone) as gone:
            self.lost = gone if isinstance(gone, Gone) else Gone("the program has ended")
            raise self.lost from None
        if answer[0] == "raised":
            raise _exception(*answer[1:])
        return answer

    def ask(self, *wish: Any) -> Any:
        """The program's answer.

        Raises:
            Raised: it raised something.
            Gone: it has ended.
        """
        return self._unpack(self._exchange(*wish)[1])

    def call(self, target: Handle, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Call it; arguments that it has changed in place are changed here too."""
        _, result, after = self._exchange("call", target, arguments, keywords)
        changed_arguments, changed_keywords = self._unpack(after)
        for old, new in (*zip(arguments, changed_arguments, strict=True),
                         *((keywords[name], changed_keywords[name]) for name in keywords)):  # fmt: skip
            if type(old) is list and type(new) is list and old != new:
                old[:] = new
            elif type(old) in (dict, set) and type(new) is type(old) and old != new:
                old.clear()
                old.update(new)
        return self._unpack(result)


def _globals_of(table: symtable.SymbolTable) -> tuple[set[str], set[str]]:
    """(global names that a test reads, those that it binds)."""
    read, bound = set(), set()
    for symbol in table.get_symbols():
        if table.get_type() == "module" or symbol.is_global():
            if symbol.is_referenced():
                read.add(symbol.get_name())
            if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
                bound.add(symbol.get_name())
    for child in table.get_children():
        more_read, more_bound = _globals_of(child)
        read, bound = read | more_read, bound | more_bound
    return read, bound


def wanted_names(sources: dict[str, str], given: set[str]) -> tuple[list[str], list[str]]:
    """(names that the program must give, modules of the standard library that are used and not imported).

    A built-in name is the grader's own, or a program could redefine what judges it; unless the tests mention nothing else
    (MBPP asks for a function called sum).

    Args:
        given: names that are bound already.
    """
    tables = [_globals_of(symtable.symtable(text, name, "exec")) for name, text in sources.items()]
    read = set().union(*(table[0] for table in tables)) - set().union(*(table[1] for table in tables)) - given
    missing = read - set(dir(builtins))
    bases = {
        node.value.id
        for name, text in sources.items()
        for node in ast.walk(ast.parse(text, name))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    modules = missing & bases & set(sys.stdlib_module_names)
    names = missing - modules
    if not names and not given:
        names = {name for name in read & set(dir(builtins)) if not isinstance(getattr(builtins, name), type)}
    return sorted(names), sorted(modules)


def _place(error: BaseException, sources: dict[str, str]) -> str:
    """The line of the tests at which it went wrong."""
    found = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename in sources and frame.lineno:
            found = sources[frame.filename].splitlines()[frame.lineno - 1].strip()
    return found


def check(request: dict[str, Any], line: socket.socket, most: int) -> dict[str, Any]:
    """Run the asserts against the program at the other end.

    Args:
        request: {"setup", "asserts", "names": {name: expression of the program}}.

    Returns:
        {"passed": bool, "test": index of the assert, "line", "error", "kind": assertion|error|raised|unsendable|gone|compile|load}.
    """
    grader, number, sources = Grader(line, most), 0, {}
    failed: dict[str, Any] = {"passed": False}
    state = "compile"
    try:
        if receive(line, most) != "compiled":
            raise Gone("no word of its compiling")
        state = "load"
        if receive(line, most) != "loaded":
            raise Gone("no word of its loading")
        state = "tests"
        texts = {"setup": request["setup"], **{f"assert {n}": text for n, text in enumerate(request["asserts"])}}
        sources = {f"<{name}>": text for name, text in texts.items()}
        codes: dict[str, CodeType] = {name: compile(text, name, "exec") for name, text in sources.items()}
        namespace: dict[str, Any] = {"__name__": "tests"}
        for name, expression in request["names"].items():
            namespace[name] = grader.ask("evaluate", expression)
        names, modules = wanted_names(sources, set(request["names"]))
        namespace.update({name: importlib.import_module(name) for name in modules})
        for name in names:
            # A name may be local to a test's own function: only what the program has is taken.
            try:
                namespace[name] = grader.ask("evaluate", name)
            except Raised:
                continue
        exec(codes.pop("<setup>"), namespace)
        for code in codes.values():
            exec(code, namespace)
            if grader.lost:
                raise grader.lost
            number += 1
    except Gone as gone:
        return {**failed, "kind": "gone" if state == "tests" else state, "test": number, "error": str(gone)}
    except Raised as error:
        return {**failed, "kind": "raised", "test": number, "line": _place(error, sources), "error": _words(error)}
    except Unsendable as error:
        return {**failed, "kind": "unsendable", "test": number, "line": _place(error, sources), "error": str(error)}
    except BaseException as error:
        kind = (
            "raised" if isinstance(error, NameError) else "assertion" if isinstance(error, AssertionError) else "error"
        )
        return {**failed, "kind": kind, "test": number, "line": _place(error, sources), "error": _words(error)}
    return {"passed": True}


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500].removesuffix(": ")


def grade(request: dict[str, Any], line: socket.socket, result: int, most: int) -> int:
    """The grader's side, in a child of its own: writes what `check` returns to `result`, as JSON."""
    open_streams()
    text = json.dumps(check(request, line, most)).encode()
    while text:
        text = text[os.write(result, text) :]
    return 0
