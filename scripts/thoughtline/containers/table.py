"""containers/images.yaml: which images there are, and what each variant is built from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..common.environments import ROOT
from ..common.errors import UserError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*$")]
DOCKER = r"^[a-z0-9.-]+(:\d+)?/[a-z0-9._/-]+(:[\w.-]+)?@sha256:[0-9a-f]{64}$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Debian(_Strict):
    """A root made by mmdebstrap."""

    suite: str = Field(description="Release of Debian.")
    mirror: str = Field(description="Archive; one of snapshot.debian.org (…/archive/debian/DATE) pins every package.")
    security: str | None = Field(None, description="Archive of security updates.")
    packages: list[Name] = Field(description="Packages of every image.")


class Variant(_Strict):
    """What the images of a variant stand on: exactly one of `debian` and `docker`."""

    debian: Debian | None = Field(None, description="A root of Debian packages, made on the host.")
    docker: str | None = Field(None, pattern=DOCKER, description="An image of a registry, named by digest.")

    @model_validator(mode="after")
    def _one(self) -> Variant:
        if (self.debian is None) == (self.docker is None):
            raise ValueError("give either debian or docker")
        return self


class Image(_Strict):
    """One image."""

    environments: list[Name] = Field(min_length=1, description="Names of its locks; the first runs its commands.")
    packages: list[Name] = Field(
        [], description="Debian packages beside the variant's (a docker base must bring them)."
    )


class Table(_Strict):
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
        return Table.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc']))}", first["msg"], "see docs/containers.md") from None
