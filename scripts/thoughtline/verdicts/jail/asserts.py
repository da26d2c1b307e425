"""Assert-style tests (HumanEval, MBPP): the asserts run in one process, the program in another.

The grader holds the asserts, and with them the expected values. It reaches the program over a socket: it asks for a name and gets plain
data by value, or a handle for a function, a class or any other object. A handle can be called, its attributes read and set, it can be
iterated, indexed and measured; all that happens in the program's process, and what comes back is again data or a handle. A handle is
equal to itself only, so an object that claims to equal everything equals nothing. Built-in names and modules of the
standard library are the grader's own, whatever the program calls by these names.

Messages: 4 bytes of length, then JSON. Values: null, booleans, numbers and texts as they are; everything else is a list
that starts with its kind, see `pack`.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import os
import socket
import struct
import symtable
import sys
import traceback
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CodeType, ModuleType
from typing import Any

from .program import exit_status, finish, new_module, open_streams

_SEQUENCES = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_LARGE = 1 << 63


class Gone(Exception):
    """The other side does not answer any more."""


def send(line: socket.socket, message: Any) -> None:
    """Send one message."""
    data = json.dumps(message).encode()
    line.sendall(struct.pack("<I", len(data)) + data)


def receive(line: socket.socket, most: int) -> Any:
    """One message.

    Raises:
        Gone: the other side has closed the line, or wants to send more than `most` bytes.
        ValueError, RecursionError: it is not JSON.
    """
    return json.loads(_exactly(line, _length(line, most)))


def _length(line: socket.socket, most: int) -> int:
    (length,) = struct.unpack("<I", _exactly(line, 4))
    if length > most:
        raise Gone("a value is too large")
    return length


def _exactly(line: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = line.recv(min(count - len(parts), 1 << 20))
        if not part:
            raise Gone("the program has ended")
        parts += part
    return bytes(parts)


def pack(value: Any, handle: Callable[[Any], list[Any]]) -> Any:
    """`value` for a message; `handle` makes what stands for an object that is no plain data."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        number = int.__index__(value)
        return number if -_LARGE < number < _LARGE else ["int", hex(number)]
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, complex):
        return ["complex", value.real, value.imag]
    if isinstance(value, bytes | bytearray):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, dict):
        return ["dict", [[pack(key, handle), pack(item, handle)] for key, item in dict.items(value)]]
    for name, kind in _SEQUENCES.items():
        if isinstance(value, kind):
            return [name, [pack(item, handle) for item in kind.__iter__(value)]]
    if isinstance(value, ModuleType):
        return ["module", value.__name__]
    if isinstance(value, type | BuiltinFunctionType) and getattr(builtins, value.__name__, None) is value:
        return ["type" if isinstance(value, type) else "function", value.__name__]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return pack(value.tolist(), handle)
    return handle(value)


def unpack(message: Any, handle: Callable[[int], Any], functions: bool = False) -> Any:
    """The value of a message; `handle` finds what a number stands for.

    Args:
        functions: a built-in function may come (from the tests to the program, never the other way).

    Raises:
        LookupError, TypeError, ValueError: the message is none.
    """
    if not isinstance(message, list):
        return message
    kind, *rest = message
    if kind in _SEQUENCES:
        return _SEQUENCES[kind](unpack(item, handle, functions) for item in rest[0])
    if kind == "dict":
        return {unpack(key, handle, functions): unpack(item, handle, functions) for key, item in rest[0]}
    if kind == "int":
        return int(rest[0], 16)
    if kind == "complex":
        return complex(*rest)
    if kind == "bytes":
        return bytes.fromhex(rest[0])
    if kind == "module" and rest[0] in sys.stdlib_module_names:
        return importlib.import_module(rest[0])
    if kind == "type" and isinstance(found := getattr(builtins, rest[0], None), type):
        return found
    if kind == "function" and functions:
        return getattr(builtins, rest[0])
    if kind == "handle":
        return handle(rest[0])
    raise ValueError(f"a value of kind {kind!r}")


class Objects:
    """The program's side: objects that the grader knows by number."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace, self.known = namespace, [None]

    def handle(self, value: Any) -> list[Any]:
        """What stands for `value`."""
        self.known.append(value)
        return ["handle", len(self.known) - 1]

    def answer(self, wish: list[Any]) -> Any:
        """Do what the grader asks."""
        what, *rest = wish
        values = [unpack(each, self.known.__getitem__, True) for each in rest]
        if what == "evaluate":
            return ["ok", pack(eval(values[0], self.namespace), self.handle)]
        if what == "call":
            target, arguments, keywords = values
            result = pack(target(*arguments, **keywords), self.handle)
            # A function may change its arguments in place, and a test may look.
            return ["ok", result, pack([arguments, keywords], self.handle)]
        target, *values = values
        done = {
            "get": lambda: getattr(target, *values),
            "set": lambda: setattr(target, *values),
            "item": lambda: target[values[0]],
            "items": lambda: list(target),
            "length": lambda: len(target),
            "contains": lambda: values[0] in target,
            "text": lambda: str(target),
        }[what]()
        return ["ok", pack(done, self.handle)]


def serve(request: dict[str, Any], line: socket.socket) -> int:
    """The program's side: load the program, then do what the grader asks until it hangs up.

    Args:
        request: {"program", "prelude", "preamble"}.
    """
    code = compile(request["program"], "program.py", "exec", dont_inherit=True)
    before = [compile(request[name], f"{name}.py", "exec") for name in ("prelude", "preamble") if request[name]]
    send(line, "compiled")
    open_streams()
    sys.set_int_max_str_digits(0)
    namespace = new_module("program", None)
    try:
        for each in (*before, code):
            exec(each, namespace)
        objects = Objects(namespace)
        send(line, "loaded")
        while True:
            try:
                wish = receive(line, 1 << 30)
            except Gone:
                break
            try:
                answer = objects.answer(wish)
            except Exception as error:
                answer = ["raised", type(error).__name__, str(error)[:500]]
            send(line, answer)
    except BaseException as error:
        return exit_status(error)
    finish(namespace)
    return 0


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


def _exception(name: str, text: str) -> Exception:
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception) and kind is not AssertionError:
        return type(name, (Raised, kind), {})(text)
    return Raised(f"{name}: {text}")


class Grader:
    """The grader's end of the line."""

    def __init__(self, line: socket.socket, most: int) -> None:
        self.line, self.most = line, most

    def _pack(self, value: Any) -> Any:
        def handle(each: Any) -> list[Any]:
            if isinstance(each, Handle):
                return ["handle", each._number]
            raise Unsendable(f"an argument of type {type(each).__name__} cannot be sent to a program")

        return pack(value, handle)

    def _unpack(self, message: Any) -> Any:
        return unpack(message, lambda number: Handle(self, number))

    def _exchange(self, *wish: Any) -> list[Any]:
        try:
            send(self.line, [wish[0], *map(self._pack, wish[1:])])
            answer = receive(self.line, self.most)
        except OSError:
            raise Gone("the program has ended") from None
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
