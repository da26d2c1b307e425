"""Settings written by hand, completed with the recipe's own defaults and checked by its schema."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from ..common.errors import UserError
from ..provenance.digest import code_digest
from ..recipe.mistakes import explained
from ..recipe.schema.base import Strict
from ..recipe.schema.generation import Endpoint, Engine
from ..recipe.schema.judging import Verifier
from ..recipe.settings import ENTRY_MODULES, modules_of_verifier


class VerdictSettings(Strict):
    """Settings of `verdicts verify`, as recipe.settings.verdicts makes them."""

    verifier: Verifier = Field(description="Who judges, and how.")
    seed: int = Field(42, description="Seed of the judge's requests.")
    engine: Engine | None = Field(None, description="Engine of a judge with weights.")
    endpoint: Endpoint | None = Field(None, description="The judge's service; none where it has weights.")
    judge_environment: dict[str, Any] | str | None = Field(
        None, description="Digest of the environment that serves the judge's weights."
    )
    code: str | None = Field(None, description="Digest of the code that judges; default: that of this code.")
    environment: dict[str, Any] | str | None = Field(None, description="Digest of the verifier's environment.")


def _place(keys: tuple[Any, ...]) -> str:
    return ".".join(["settings", *map(str, keys)])


def complete(settings: dict[str, Any]) -> dict[str, Any]:
    """Full settings of `verdicts verify`; what a recipe made keeps every value.

    Raises:
        UserError: no verifier, an unknown one, or a key or value that the schema refuses.
    """
    if "verifier" not in settings and settings.keys() <= VerdictSettings.model_fields.keys():
        raise UserError("settings.verifier", "is missing", '{"verifier": {"verifier": "math_verify"}}, for example')
    try:
        checked = VerdictSettings.model_validate(settings)
    except ValidationError as error:
        raise explained(error, VerdictSettings, _place, "the settings") from None
    found = {"seed": checked.seed, **settings, "verifier": checked.verifier.model_dump(mode="json")}
    if checked.endpoint is not None:
        found["endpoint"] = checked.endpoint.model_dump(mode="json")
    if checked.code is None:
        found["code"] = code_digest(*ENTRY_MODULES["verdicts"], *modules_of_verifier(found["verifier"]))
    return found
