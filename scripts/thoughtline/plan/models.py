"""A recipe's models as the model of cost sees them."""

from __future__ import annotations

from pathlib import Path

from ..recipe.paths import Paths
from ..recipe.schema.recipe import Recipe
from ..recipe.settings import engine_of
from .architecture import BF16, Architecture, of_model


class Models:
    """Architectures of a recipe's models."""

    def __init__(self, recipe: Recipe, paths: Paths) -> None:
        self._recipe, self._paths = recipe, paths

    def published(self, model: str) -> str:
        """The published weights that a model comes from."""
        while (base := self._recipe.models[model].base) is not None:
            model = base
        return model

    def architecture(self, model: str) -> Architecture:
        """A model's architecture.

        Raises:
            UserError: neither the table nor a config.json says it.
        """
        name = self.published(model)
        staged = [Path(path).parent for path in self._paths.staged_weights(name)]
        own = [Path(self._paths.root, "models", each, "weights") for each in (model, name)]
        return of_model(self._recipe.models[name], f"models.{name}", (*staged, *own))

    def weights(self, model: str) -> float:
        """Bytes of a model's files: of one that is trained in its precision, of one from a GGUF file in float32."""
        architecture, chosen = self.architecture(model), self._recipe.models[model]
        if chosen.package or (chosen.stages and chosen.stages[-1].precision == "float32"):
            return architecture.parameters * 2 * BF16
        return architecture.parameters * (BF16 if chosen.base else architecture.weight_bytes)

    def longest(self, model: str) -> float:
        """Tokens of context that a server must be able to hold for one request."""
        engine = engine_of(self._recipe, model)
        return engine.get("max_model_len") or self._recipe.models[self.published(model)].context_length or 1
