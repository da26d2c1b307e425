"""From a machine's file to a checked Machine, or to one clear error with the key's path and its line."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..common.environments import ROOT
from ..common.errors import UserError
from ..common.spelling import known_names
from ..recipe.mistakes import explained
from ..recipe.yaml_text import place_of, read_yaml
from .schema import Machine

FOLDER = ROOT / "machines"
REFERENCE = "docs/machines-reference.md"


def known_machines() -> list[str]:
    """Names of the machines in machines/."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def file_of(machine: str) -> Path:
    """The file of a machine: machines/NAME.yaml for a name, the file itself for a path that ends in .yaml.

    Raises:
        UserError: there is no such file.
    """
    path = Path(machine) if machine.endswith(".yaml") else FOLDER / f"{machine}.yaml"
    if not path.is_file():
        right = f"{known_names(known_machines(), path.stem)}; or give the path of a file that ends in .yaml"
        raise UserError("machine", f"there is no machine {machine!r} (no file {path})", right)
    return path


def _problems(machine: Machine, stem: str) -> Iterator[tuple[tuple[Any, ...], str, str]]:
    """What keys must say together: (key path, what is wrong, what would be right)."""
    if machine.name != stem:
        wrong = f"is {machine.name!r}, but the file is {stem}.yaml, and a machine is found by its file's name"
        other = "" if machine.name in known_machines() else f", or rename the file to {machine.name}.yaml"
        yield ("name",), wrong, f"write `name: {stem}`{other}"
    for name, partition in machine.partitions.items():
        at = ("partitions", name)
        if partition.node not in machine.nodes:
            wrong = f"there is no kind of node {partition.node!r}"
            yield (*at, "node"), wrong, known_names(machine.nodes, partition.node)
            continue
        node = machine.nodes[partition.node]
        for key in ("cores", "memory_mb"):
            if (getattr(partition, key) or 0) > getattr(node, key):
                yield (*at, key), f"{getattr(partition, key)} is more than the node's {getattr(node, key)}", "lower it"
        names = [each.name for each in partition.qos]
        if len(set(names)) != len(names):
            yield (*at, "qos"), "names a QoS twice", "name each once"


def parse_machine(data: Any, path: Path) -> Machine:
    """Validate parsed YAML.

    Raises:
        UserError: the first mistake.
    """
    if not isinstance(data, dict):
        raise UserError(str(path), "is no mapping of keys", "start from machines/slurm.yaml")
    try:
        machine = Machine.model_validate(data)
    except ValidationError as error:
        raise explained(error, Machine, lambda keys: place_of(path, keys, "machine"), "this file", REFERENCE) from None
    for where, what, right in _problems(machine, path.stem):
        raise UserError(place_of(path, where, "machine"), what, right)
    return machine


@functools.cache
def load_machine(machine: str) -> Machine:
    """The checked facts of a machine, by name (machines/NAME.yaml) or by path.

    Raises:
        UserError: there is no such machine, or the first mistake of its file with line, key, what is wrong, what would be right.
    """
    path = file_of(machine)
    return parse_machine(read_yaml(path), path)
