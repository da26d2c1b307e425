"""config.yaml: which recipe, where results go, and how jobs are run."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from ..common.errors import UserError
from .schema import Strict


class Options(Strict):
    """`execution`: nothing here changes a result. Numbers may be text: Snakemake's --config makes them so."""

    model_config = ConfigDict(strict=False)

    concurrency: int = Field(64, ge=1, description="Requests in flight to a model server.")
    workers: int = Field(0, ge=0, description="Worker processes of the verifiers; 0: one per core of the job.")
    linger: int = Field(0, ge=0, description="Seconds that an idle model server is kept for the next job.")


class Execution(Strict):
    """The whole of config.yaml."""

    recipe: str = Field(description="Path of the recipe.", min_length=1)
    results: str = Field("results", description="Folder of all results.", pattern=r"^[\w./-]+$")
    execution: Options = Field(Options(), description="How jobs are run.")

    @classmethod
    def read(cls, config: dict[str, Any]) -> Options:
        """The execution options of Snakemake's config.

        Raises:
            UserError: an unknown key or a wrong value.
        """
        try:
            return cls.model_validate(dict(config)).execution
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            if first["type"] == "extra_forbidden":
                known = Options.model_fields if len(first["loc"]) > 1 else cls.model_fields
                raise UserError(f"config: {where}", "unknown key", f"known keys: {', '.join(known)}") from None
            right = "letters, digits and . _ - / only" if where == "results" else "see config.yaml"
            raise UserError(f"config: {where}", first["msg"], right) from None
