"""config.yaml and site.yaml: which recipe, which machine, where results go, and how jobs are run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from ..common.errors import UserError
from .schema.base import Strict
from .yaml_text import read_yaml

SITE_FILE = "site.yaml"
LOCAL = "local"
"""The machine of config.yaml, for which site.yaml does not count."""


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
    def read(cls, config: Mapping[str, Any], where: str = "config") -> Execution:
        """Snakemake's config, checked.

        Raises:
            UserError: an unknown key or a wrong value.
        """
        try:
            return cls.model_validate(dict(config))
        except ValidationError as error:
            raise _explained(error, where) from None


def _explained(error: ValidationError, where: str) -> UserError:
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        known = Options.model_fields if len(first["loc"]) > 1 else Execution.model_fields
        return UserError(f"{where}: {key}", "unknown key", f"known keys: {', '.join(known)}")
    right = {
        "results": "letters, digits and . _ - / only",
        "stage": "letters, digits and . _ - / only",
        "budget_gpu_hours": "a number of GPU-hours above 0",
        "account": "the name that `sacctmgr show associations user=$USER` or your site's guide gives it",
    }.get(key, "see config.yaml")
    if first["loc"][0] == "exclude_nodes":
        right = "names as Slurm writes them, say lrdn0042 or lrdn[0042-0045], apart by blanks or commas"
    return UserError(f"{where}: {key}", first["msg"], right)


def site_settings(folder: Path) -> dict[str, Any]:
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
    Execution.read({"recipe": "any", **data}, SITE_FILE)
    return data


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
