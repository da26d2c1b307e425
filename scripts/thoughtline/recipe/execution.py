"""config.yaml and site.yaml: which recipe, which machine, where results go, and how jobs are run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from ..common.errors import UserError
from .mistakes import Keys, explained
from .schema.base import Strict
from .yaml_text import place_of, read_yaml

SITE_FILE = "site.yaml"
LOCAL = "local"
"""The machine of config.yaml, for which site.yaml does not count."""
TEXTS = ("recipe", "results", "stage", "machine", "account", "qos")
"""Keys that are texts, whatever they look like."""


def in_config(keys: Keys) -> str:
    """Where a key of the config stands."""
    return f"config: {'.'.join(map(str, keys))}"


def _text(value: Any) -> Any:
    """Snakemake's --config makes numbers of what looks like one, an account for example."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _words(value: Any) -> Any:
    """A list, or on the command line one text with commas."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_text)]
Nodes = Annotated[list[Annotated[str, Field(pattern=r"^\w[\w.-]*(\[[\d,-]+\])?$")]], BeforeValidator(_words)]


class Options(Strict):
    """`execution`: nothing here changes a result. Numbers may be text: Snakemake's --config makes them so."""

    model_config = ConfigDict(strict=False)

    concurrency: int = Field(64, ge=1, description="Requests in flight to a model server.")
    workers: int = Field(0, ge=0, description="Worker processes of the verifiers; 0: one per core of the job.")
    linger: int = Field(0, ge=0, description="Seconds that an idle model server is kept for the next job.")
    sharing: bool = Field(True, description="Slurm jobs of one model answer rows of each other's shards.")


class Execution(Strict):
    """Keys of config.yaml, of site.yaml and of the command line's --config."""

    recipe: str = Field(description="Path of the recipe.", min_length=1)
    results: str = Field("results", description="Folder of all results.", pattern=r"^[\w./-]+$")
    stage: str = Field(
        "stage",
        description="Folder of staged hub models and data sets; recipes may share it.",
        pattern=r"^[\w./-]+$",
    )
    machine: str = Field(
        LOCAL, description="Where jobs run: a name in machines/, or the path of such a file.", min_length=1
    )
    account: Text | None = Field(None, description="Account that jobs are charged to (Slurm).", pattern=r"^[\w.,+-]+$")
    qos: str | None = Field(
        None, description="The only QoS to use, also one that is not chosen automatically.", pattern=r"^[\w.-]+$"
    )
    exclude_nodes: Nodes = Field([], description="Nodes that jobs avoid, beside those of the machine's file.")
    budget_gpu_hours: Annotated[float, Field(gt=0, strict=False)] | None = Field(
        None,
        description="GPU-hours that the run may use, those that were used already included; more is not submitted.",
    )
    execution: Options = Field(Options(), description="How jobs are run.")

    @classmethod
    def read(cls, config: Mapping[str, Any], place: Callable[[Keys], str] = in_config) -> Execution:
        """Snakemake's config, checked.

        Args:
            place: what to call the place of a key's path.

        Raises:
            UserError: an unknown key or a wrong value.
        """
        try:
            return cls.model_validate(dict(config))
        except ValidationError as error:
            found = explained(error, cls, place, "the config", "config.yaml")
            wrong = [each["loc"][0] for each in error.errors() if each["type"] != "missing"]
            raise UserError(found.where, found.what, RIGHT.get(next(iter(wrong), None), found.right)) from None


RIGHT = {
    "budget_gpu_hours": "a number of GPU-hours above 0",
    "account": "the name that `sacctmgr show associations user=$USER` or your site's guide gives it",
    "exclude_nodes": "names as Slurm writes them, say lrdn0042 or lrdn[0042-0045], apart by blanks or commas",
}
"""What would be right for keys of which more can be said than their type."""


def site_settings(folder: Path = Path()) -> dict[str, Any]:
    """What `folder`/site.yaml says: some of the keys of config.yaml; {} without such a file.

    Raises:
        UserError: it is no YAML mapping, or has an unknown key or a wrong value.
    """
    path = folder / SITE_FILE
    if not path.is_file():
        return {}
    data = read_yaml(path)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise UserError(SITE_FILE, "is no mapping of keys", "see site.example.yaml")
    Execution.read({"recipe": "any", **data}, lambda keys: place_of(path, keys, "site"))
    return data


def check_folder(key: str, given: str) -> None:
    """Refuse a folder of the config that is none, or that cannot be made. It is tried, since rights do not tell; nothing is left.

    Raises:
        UserError: what stands in its way.
    """
    path = Path(given).absolute()
    there = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not there.is_dir():
        raise UserError(in_config((key,)), f"{given!r} cannot be a folder: {there} is none", "name another folder")
    if there != path:
        try:
            os.rmdir(tempfile.mkdtemp(dir=there))
        except OSError as error:
            what = f"{given!r} cannot be made: no folder can be made in {there} ({error.strerror})"
            raise UserError(in_config((key,)), what, "name another folder") from None


def check_files(paths: Iterable[str | Path]) -> None:
    """Read Snakemake's config files by our own rules, which refuse what plain YAML changes in silence (`read_yaml`).

    Raises:
        UserError: a key that is given twice, or a number with zeros in front.
    """
    for path in map(Path, paths):
        if path.suffix in (".yaml", ".yml"):
            read_yaml(path)


def typed_texts(given: Mapping[str, Any], words: Iterable[str]) -> dict[str, str]:
    """Texts among the keys of --config as they were typed: Snakemake makes a number of whatever looks like one, of 007 a 7.

    Args:
        given: what the command line's --config says, by Snakemake.
        words: the same as it was typed, KEY=VALUE each.
    """
    typed = dict(word.split("=", 1) for word in words if "=" in word)
    found = (key for key, value in given.items() if key in TEXTS and isinstance(value, int | float))
    return {key: typed[key] for key in found if key in typed}


def with_site(config: Mapping[str, Any], given: Mapping[str, Any], site: Mapping[str, Any]) -> dict[str, Any]:
    """The config with site.yaml's keys in it: --config comes first, then the site, then profile and config.yaml.

    A site is a cluster: on the machine `local`, and with --config machine=local, its keys do not count.

    Args:
        config: all that Snakemake has read.
        given: what the command line's --config says.
        site: what site.yaml says.
    """
    if config.get("machine", LOCAL) == LOCAL:
        return dict(config)
    found = {**config, **{key: value for key, value in site.items() if key not in given}}
    if "execution" in site:
        found["execution"] = {**config.get("execution", {}), **site["execution"], **given.get("execution", {})}
    return found
