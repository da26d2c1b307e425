"""What all parts of the schema share."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    field_validator,
    model_serializer,
)

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
Domain = Literal["math", "code", "science", "puzzle", "chat"]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""What NumPy and torch take alike."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
COMMIT = re.compile(r"^[0-9a-f]{40}$")


class Strict(BaseModel):
    """A model that refuses keys it does not know and values of the wrong type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    LATER: ClassVar[frozenset[str]] = frozenset()
    """Keys that the schema got later. They are left out of dumps where they have their default, so that the settings of a
    recipe without them, and with these its finished jobs, stay what they were."""

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found = dump(self)
        for name in self.LATER:
            if name in found and getattr(self, name) == type(self).model_fields[name].get_default():
                del found[name]
        return found


def exactly_one(model: BaseModel, names: tuple[str, ...]) -> None:
    """Refuse a model that has none, or several, of these keys."""
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) if given else "none of them"
        raise ValueError(f"needs exactly one of {', '.join(names)}, has {found}")


class HubRef(Strict):
    """Something on the Hugging Face hub, by full commit."""

    id: str = Field(description="Hub id, `owner/name`.", pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(description="Full commit hash, 40 hex digits; a branch or tag can move.")

    @field_validator("revision")
    @classmethod
    def _full_commit(cls, value: str) -> str:
        if not COMMIT.match(value):
            raise ValueError(
                f"{value!r} is no full commit hash; give the 40 hex digits (`git ls-remote` on the hub's repository shows them)"
            )
        return value
