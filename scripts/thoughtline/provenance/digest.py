"""What a stage's results depend on beside its inputs: its source code and its environment.

The digest of a stage covers its entry modules and every module of this package that they import, at
whatever depth, found by reading the import statements: what is not imported cannot force a rerun.
Comments and blank lines do not count; everything else does.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..common.canonical import digest, sha256_text

PACKAGE = "thoughtline"

CANNOT_CHANGE_RESULTS = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        "common.progress",
        "common.deadline",
        "common.errors",
        "common.spelling",
        "common.lease",
        "common.finished",
        "common.command",
        "common.environments",
        "provenance.sidecar",
        "provenance.digest",
        "recipe.mistakes",
        "recipe.wording",
        "traces.server",
        "traces.helping",
        "models.launch",
        "models.pace",
    )
)
"""Modules that show, refuse, stop or record work but have no say in its result."""

RUN_ELSEWHERE = f"{PACKAGE}.machines"
"""The package that says where jobs run and how they are started there: none of it has a say in their results."""


@functools.cache
def _root() -> Path:
    return Path(__file__).resolve().parents[1]


def _file_of(module: str) -> Path | None:
    path = _root().joinpath(*module.split(".")[1:])
    if path.with_suffix(".py").is_file() and module != PACKAGE:
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None


def _statements(parts: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements, at whatever depth. Expressions hold none, and looking into them would take most of the time."""
    for part in parts:
        yield part
        for name in ("body", "orelse", "handlers", "finalbody", "cases"):
            inside = getattr(part, name, None)
            if isinstance(inside, list):
                yield from _statements(inside)


@functools.cache
def _imports(package: str, source: str) -> frozenset[str]:
    """Names that a module of `package` with this source imports below PACKAGE, at top level or inside functions."""
    found: set[str] = set()
    for node in _statements(ast.parse(source).body):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join(parts[: len(parts) - node.level + 1] + ([node.module] if node.module else []))
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(name for name in found if name.split(".")[0] == PACKAGE)


def modules_of(*entries: str) -> dict[str, Path]:
    """The entry modules and all that they import of this package, by name, without what cannot change results."""
    found: dict[str, Path] = {}
    queue = [f"{PACKAGE}.{entry}" if not entry.startswith(PACKAGE) else entry for entry in entries]
    while queue:
        module = queue.pop()
        if module in found or module in CANNOT_CHANGE_RESULTS or module.startswith(RUN_ELSEWHERE):
            continue
        file = _file_of(module)
        if file is None:
            raise LookupError(f"no module {module} in this package")
        found[module] = file
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        queue.extend(name for name in _imports(package, file.read_text(encoding="utf-8")) if _file_of(name))
    return dict(sorted(found.items()))


STRING_OR_COMMENT = re.compile(
    r"""
    ( \"{3} (?: [^\\]  | \\. )*? \"{3}
    | '{3}  (?: [^\\]  | \\. )*? '{3}
    | "     (?: [^\\"] | \\. )*  "
    | '     (?: [^\\'] | \\. )*  ' )
    | \# [^\n]*
    """,
    re.DOTALL | re.VERBOSE,
)
"""A string, whatever its prefix, as group 1; or a comment. Python's own tokenizer finds the same and takes ten times as long."""


def significant_text(source: str) -> str:
    """`source` without comments, trailing blanks and empty lines."""
    text = STRING_OR_COMMENT.sub(lambda found: found[1] or "", source) if "#" in source else source
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


@functools.cache
def _sha256_of(source: str) -> str:
    """Of its significant text; stages share most of their modules."""
    return sha256_text(significant_text(source))


@functools.cache
def code_digest(*entries: str) -> str:
    """16 hex digits of the source of `entries` and all that they import.

    Files beside a module that it reads as data (templates) count too: `*.jinja`, `*.css` and `*.js` in
    the folder of an entry module.
    """
    parts = {name: _sha256_of(file.read_text(encoding="utf-8")) for name, file in modules_of(*entries).items()}
    for entry in entries:
        folder = _file_of(f"{PACKAGE}.{entry}").parent  # type: ignore[union-attr]
        for suffix in ("jinja", "css", "js"):
            for file in sorted(folder.glob(f"*.{suffix}")):
                parts[f"{entry}/{file.name}"] = sha256_text(file.read_text(encoding="utf-8"))
    return digest(parts, 16)
