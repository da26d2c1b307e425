"""Settings written by hand, completed with the recipe's own defaults and checked by its schema."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..common.errors import UserError
from ..provenance.digest import code_digest
from ..recipe.schema import Verifier
from ..recipe.settings import ENTRY_MODULES, VERIFIER_MODULES, modules_of_verifier

_ADAPTER: TypeAdapter[Any] = TypeAdapter(Verifier)


def complete(settings: dict[str, Any]) -> dict[str, Any]:
    """Full settings of `verdicts verify`; those made by a recipe come back unchanged.

    Raises:
        UserError: no verifier, an unknown one, or a key that it does not have.
    """
    if not isinstance(settings.get("verifier"), dict):
        raise UserError("settings.verifier", "is missing", '{"verifier": {"verifier": "math_verify"}}, for example')
    try:
        verifier = _ADAPTER.validate_python(settings["verifier"]).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(["settings.verifier", *map(str, first["loc"])])
        raise UserError(place, first["msg"], f"known verifiers: {', '.join(sorted(VERIFIER_MODULES))}") from None
    found = {"seed": 42, **settings, "verifier": verifier}
    if "code" not in found:
        found["code"] = code_digest(*ENTRY_MODULES["verdicts"], *modules_of_verifier(verifier))
    return found
