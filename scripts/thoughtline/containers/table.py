"""containers/images.yaml: which images there are, and what each variant is built from."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from ..common.environments import ROOT
from ..recipe.mistakes import explained
from ..recipe.schema.base import Strict
from ..recipe.yaml_text import place_of, read_yaml

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*$")]
DOCKER = r"^[a-z0-9.-]+(:\d+)?/[a-z0-9._/-]+(:[\w.-]+)?@sha256:[0-9a-f]{64}$"


class Debian(Strict):
    """A root made by mmdebstrap."""

    suite: str = Field(description="Release of Debian.")
    mirror: str = Field(description="Archive; one of snapshot.debian.org (…/archive/debian/DATE) pins every package.")
    security: str | None = Field(None, description="Archive of security updates.")
    packages: list[Name] = Field(description="Packages of every image.")


class Variant(Strict):
    """What the images of a variant stand on: `docker` where both are given, unless a build asks for the other."""

    debian: Debian | None = Field(None, description="A root of Debian packages, made on the host.")
    docker: str | None = Field(None, pattern=DOCKER, description="An image of a registry, named by digest.")

    @model_validator(mode="after")
    def _any(self) -> Variant:
        if not self.bases:
            raise ValueError("give debian or docker")
        return self

    @property
    def bases(self) -> list[str]:
        """What it can stand on, the preferred one first."""
        return [name for name in ("docker", "debian") if getattr(self, name) is not None]

    def on(self, base: str) -> Variant:
        """The variant with this base alone."""
        return Variant(**{base: getattr(self, base)})


class Image(Strict):
    """One image."""

    environments: list[Name] = Field(min_length=1, description="Names of its locks; the first runs its commands.")
    packages: list[Name] = Field(
        [], description="Debian packages beside the variant's (a docker base must bring them)."
    )


class Table(Strict):
    """The whole file."""

    epoch: int = Field(description="Time that all files in an image bear, seconds since 1970.")
    images: dict[Name, Image] = Field(description="Images by name.")
    variants: dict[Name, Variant] = Field(description="Variants by name.")

    def lock(self, environment: str, variant: str) -> Path:
        """The lock of an environment: envs/NAME-VARIANT.txt where there is one, else envs/NAME.txt."""
        own = ROOT / "envs" / f"{environment}-{variant}.txt"
        return own if own.exists() else ROOT / "envs" / f"{environment}.txt"


def read(path: Path = ROOT / "containers/images.yaml") -> Table:
    """The table.

    Raises:
        UserError: an unknown key, a wrong value, or a base that is not named by digest.
    """
    try:
        return Table.model_validate(read_yaml(path))
    except ValidationError as error:
        where = functools.partial(place_of, path, whole="table")
        raise explained(error, Table, where, "this file", "docs/containers.md") from None
