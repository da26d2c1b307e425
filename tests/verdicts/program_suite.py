"""The programs of programs/*.yaml: each with a task, the verdict that it must get, and what it must not do to the machine.

A case has these keys:
    name, task (of tasks.yaml), program;
    verdict: the reason ("" means correct), or a list of them where the rules allow more than one;
    seconds, memory, output, wall: limits of a test (CPU seconds, MB, MB, seconds);
    repeat: [text, count] for {repeat} in the program;
    uses: a prelude of tasks.yaml that comes before the program;
    must_not: effects on the machine that the program tries to have (watched_host.CHECKS);
    needs: `isolation`, when the case may only run, or can only pass, where every layer of the sandbox works;
    pending: what the verifier does instead. The test then expects a failure, and fails once it passes.

Every attack is bounded: a verifier that does not stop it must not bring down the machine that tests it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from thoughtline.verdicts.executor import Limits

FOLDER = Path(__file__).parent / "programs"
CLASSES = ("failure", "time", "comparison", "forgery", "resources", "host", "source", "honest")
DANGEROUS = ("forgery", "resources", "host")
"""Classes that run only where every layer of the sandbox works."""
KEYS = {
    "name", "task", "program", "verdict", "seconds", "memory", "output", "wall", "repeat", "uses", "must_not", "needs",
    "pending",
}  # fmt: skip
DEFAULTS = {"seconds": 1, "memory": 512, "output": 2, "wall": 60}


@dataclass(frozen=True)
class Case:
    """One program."""

    name: str
    kind: str
    task: str
    program: str
    verdicts: tuple[str, ...]
    limits: Limits
    must_not: tuple[str, ...]
    isolated: bool
    pending: str

    def tests(self, values: dict[str, str]) -> dict[str, Any]:
        """The task's tests with `values` filled in."""
        return json.loads(_filled(json.dumps(TASKS[self.task]), {**_texts(json.dumps), **values}))

    def source(self, values: dict[str, str]) -> str:
        """The program with `values` filled in."""
        return _filled(self.program, values)


def _read(name: str) -> Any:
    # The loader in C would be faster, but refuses lone surrogates.
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def _texts(encode: Any = str) -> dict[str, str]:
    return {name: encode(text * count).strip('"') for name, (text, count) in _SHARED["texts"].items()}


_SHARED = _read("tasks")
TASKS = _SHARED["tasks"]


def _case(kind: str, data: dict[str, Any]) -> Case:
    if unknown := data.keys() - KEYS:
        raise ValueError(f"{kind}.yaml: {data.get('name')}: unknown keys {sorted(unknown)}")
    limit = {**DEFAULTS, **data}
    prelude = _SHARED["preludes"][data["uses"]] if "uses" in data else ""
    repeated = data["repeat"][0] * data["repeat"][1] if "repeat" in data else ""
    verdicts = data["verdict"] if isinstance(data["verdict"], list) else [data["verdict"]]
    return Case(
        data["name"],
        kind,
        data["task"],
        prelude + _filled(data["program"], {"repeat": repeated}),
        tuple(verdicts),
        Limits(limit["seconds"], limit["memory"], limit["output"], limit["wall"]),
        tuple(data.get("must_not", ())),
        kind in DANGEROUS or data.get("needs") == "isolation",
        data.get("pending", ""),
    )


def read_cases() -> list[Case]:
    """All cases, in the order of CLASSES and of the files."""
    return [_case(kind, data) for kind in CLASSES for data in _read(kind)]
