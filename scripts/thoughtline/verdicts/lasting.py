"""Whether a program may change what the next test in the same process meets, beyond what the jail puts back itself.

A look at the source, on the safe side: such a program gets a fresh child for every test. Programs of contests hardly ever do this.
"""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"builtins|__self__|__dict__|\b(?:set|del)attr\b|\bmodules\b|\bimportlib\b|\bctypes\b|\bgc\b|\b_getframe\b|_current_frames"
)
_IMPORTS = re.compile(r"^[ \t]*(?:import|from)[ \t]+(.+)$", re.M)
_ASSIGNS = re.compile(r"(?:^|[;:=,(])[ \t]*([A-Za-z_]\w*)\.([\w.]+)[ \t]*(?:[-+*/%|&^@]|//|\*\*|<<|>>)?=(?!=)", re.M)
_DELETES = re.compile(r"\bdel[ \t]+([A-Za-z_]\w*)\.([\w.]+)")
_PUT_BACK = {("sys", "stdin"), ("sys", "stdout"), ("sys", "stderr")}


def may_last(program: str) -> bool:
    """Whether it names the means to do so, or assigns to an attribute of something that it has imported."""
    if _WORDS.search(program):
        return True
    stores = {*_ASSIGNS.findall(program), *_DELETES.findall(program)} - _PUT_BACK
    if not stores:
        return False
    imported = {word for line in _IMPORTS.findall(program) for word in re.findall(r"\w+", line)}
    return any(base in imported for base, _ in stores)
