"""Whether a program may change what the next test in the same process meets, beyond what the jail puts back itself.

A look at the source, on the safe side: such a program gets a fresh child for every test. Programs of contests hardly ever do this.
"""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"builtins|__self__|__dict__|\b(?:set|del)attr\b|\bmodules\b|\bimportlib\b|\bctypes\b|\bgc\b|\b_getframe\b|_current_frames"
    # What a module keeps, changed by a call: decimal's context, sys and os, the locale, filters, hooks, registers.
    r"|\b(?:get|set|local)context\b|Context\b|\bsys\.(?:path|meta_path|set(?!recursionlimit\b|_int_max_str_digits\b))"
    r"|\bfrom[ \t]+sys[ \t]+import\b[^\n]{0,300}(?:\*|path|set)|\b(?:umask|nice|setrlimit|tzset|setlocale|simplefilter|filterwarnings)\b"
    r"|\b(?:signal|logging|copyreg|resource|locale|faulthandler|tracemalloc|site)\b|\.register\b"
)
# Atomic groups and bounded ones: a program of a megabyte is looked at in time that grows with its length.
_CHAIN = re.compile(
    r"(?<![\w.])([A-Za-z_]\w*+)((?:\.\w++)*+)(?:(\()|\[[^\]\n]{0,200}\][ \t]{0,9}(?:[-+*/%|&^@]|//|\*\*|<<|>>)?=(?!=))"
)
_MUTATORS = frozenset(
    [
        "append",
        "extend",
        "insert",
        "update",
        "add",
        "remove",
        "discard",
        "pop",
        "popleft",
        "clear",
        "setdefault",
        "sort",
        "reverse",
    ]
)
_IMPORTS = re.compile(r"^[ \t]*(?:import|from)[ \t]+(.+)$", re.M)
_ASSIGNS = re.compile(r"(?:^|[;:=,(])[ \t]*([A-Za-z_]\w*)\.([\w.]+)[ \t]*(?:[-+*/%|&^@]|//|\*\*|<<|>>)?=(?!=)", re.M)
_DELETES = re.compile(r"\bdel[ \t]+([A-Za-z_]\w*)\.([\w.]+)")
_PUT_BACK = {("sys", "stdin"), ("sys", "stdout"), ("sys", "stderr")}


def _mutated(program: str) -> set[tuple[str, str]]:
    """(name, attributes) of what a method changes in place, or an assignment to an item."""
    return {
        (base, attributes)
        for base, attributes, called in _CHAIN.findall(program)
        if not called or (attributes.count(".") > 1 and attributes.rpartition(".")[2] in _MUTATORS)
    }


def may_last(program: str) -> bool:
    """Whether it names the means to do so, or changes something that it has imported."""
    if _WORDS.search(program):
        return True
    stores = {*_ASSIGNS.findall(program), *_DELETES.findall(program), *_mutated(program)} - _PUT_BACK
    if not stores:
        return False
    imported = {word for line in _IMPORTS.findall(program) for word in re.findall(r"\w+", line)}
    return any(base in imported for base, _ in stores)
