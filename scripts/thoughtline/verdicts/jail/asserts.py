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

import builtins
import importlib
import json
import socket
import struct
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, ModuleType
from typing import Any

from .program import exit_status, finish, new_module, open_streams

_SEQUENCES = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_LARGE = 1 << 63
_MADE: dict[str, Callable[[Any], list[Any]]] = {
    "builtins.range": lambda value: [value.start, value.stop, value.step],
    "collections.deque": lambda value: [list(value), value.maxlen],
    "datetime.date": lambda value: [value.year, value.month, value.day],
    "datetime.datetime": lambda value: [*value.timetuple()[:6], value.microsecond],
    "datetime.timedelta": lambda value: [value.days, value.seconds, value.microseconds],
    "decimal.Decimal": lambda value: [str(value)],
    "fractions.Fraction": lambda value: [value.numerator, value.denominator],
}
"""Values of the standard library that tests compare with: class -> what another one is made of."""


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
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if name in _MADE and getattr(value, "tzinfo", None) is None:
        return ["made", name, [pack(part, handle) for part in _MADE[name](value)]]
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
    if kind == "made" and rest[0] in _MADE:
        module, _, name = rest[0].rpartition(".")
        return getattr(importlib.import_module(module), name)(*(unpack(part, handle, functions) for part in rest[1]))
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
    code = compile(request["program"].removeprefix("\ufeff"), "program.py", "exec", dont_inherit=True)
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
