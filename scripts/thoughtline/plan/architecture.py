"""What a model's architecture says about its cost: parameters, arithmetic a token, bytes of weights and of context.

Units: FLOPs (a multiply-add is two), bytes, tokens.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.errors import UserError
from ..common.files import read_json
from ..recipe.schema.models import Model
from ..recipe.yaml_text import read_yaml

TABLE = Path(__file__).with_name("architectures.yaml")
BF16 = 2
"""Bytes of a number in bfloat16."""


@dataclass(frozen=True)
class Architecture:
    """A decoder-only transformer with gated feed-forward layers, grouped or latent attention, dense or of experts."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    intermediate: int = 0
    """Width of a dense model's feed-forward layers."""
    tied: bool = False
    """Whether the output layer is the embedding."""
    bias: bool = False
    """Whether queries, keys and values have biases."""
    given: float | None = None
    """Parameters, where they do not follow from the other numbers."""
    given_active: float | None = None
    """Parameters that a token uses, for a mixture of experts."""
    experts: int = 1
    experts_active: int = 1
    latent: int | None = None
    """Numbers a token and layer that latent attention keeps."""
    weight_bytes: float = BF16
    """Bytes a weight as published."""
    cache_bytes: float = BF16
    """Bytes of a number of the key-value cache."""

    @property
    def parameters(self) -> float:
        """Parameters in all."""
        if self.given is not None:
            return self.given
        width, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        attention = 2 * self.hidden * width + 2 * self.hidden * kv + (width + 2 * kv if self.bias else 0)
        layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
        return self.layers * layer + self.hidden + self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def active(self) -> float:
        """Parameters that are multiplied for a token: without the embedding, which is looked up."""
        if self.given_active is not None:
            return self.given_active
        return self.parameters - (0 if self.tied else self.vocabulary * self.hidden)

    @property
    def weights(self) -> float:
        """Bytes of the published weights."""
        return self.parameters * self.weight_bytes

    @property
    def context_bytes(self) -> float:
        """Bytes of the key-value cache a token, all layers."""
        return self.cache_bytes * self.layers * (self.latent or 2 * self.kv_heads * self.head_dim)

    def forward(self, tokens: float) -> float:
        """FLOPs of one pass over a causal sequence of so many tokens.

        Two a parameter and token, and for attention 4 x width x (positions seen) a layer: half of them on average.
        """
        return 2 * self.active * tokens + 2 * self.layers * self.heads * self.head_dim * tokens**2

    def masked(self, tokens: float, filled: float) -> float:
        """FLOPs of one pass over so many tokens, some of them padding, where each position is compared with all: a mask skips nothing."""
        return 2 * self.active * filled + 4 * self.layers * self.heads * self.head_dim * tokens**2

    def decoding(self, context: float) -> float:
        """FLOPs of one new token behind a context of so many."""
        return 2 * self.active + 4 * self.layers * self.heads * self.head_dim * context

    def read_share(self, batch: float) -> float:
        """Share of the weights that a step with so many tokens reads: with experts, those that some token chose."""
        if self.experts == 1:
            return 1.0
        missed = (1 - self.experts_active / self.experts) ** batch
        dense = max(
            0.0,
            1 - (self.parameters - self.active) / self.parameters * self.experts / (self.experts - self.experts_active),
        )
        return dense + (1 - dense) * (1 - missed)


def of_config(config: dict[str, Any], where: str) -> Architecture:
    """The architecture of a config.json of the Llama and Qwen2 families.

    Raises:
        UserError: it lacks a number, or has experts (whose parameters do not follow from these numbers).
    """
    if config.get("num_experts") or config.get("n_routed_experts") or config.get("num_local_experts"):
        raise UserError(
            where, "is a mixture of experts", f"describe it in {TABLE.name}, with `parameters` and `active`"
        )
    try:
        heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
        return Architecture(
            layers=int(config["num_hidden_layers"]),
            hidden=hidden,
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or hidden // heads),
            vocabulary=int(config["vocab_size"]),
            intermediate=int(config["intermediate_size"]),
            tied=bool(config.get("tie_word_embeddings", False)),
            bias=config.get("model_type") == "qwen2" or bool(config.get("attention_bias")),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(
            where, f"does not tell the architecture ({error!r})", f"describe the model in {TABLE.name}"
        ) from None


def _of_entry(entry: dict[str, Any]) -> Architecture:
    words = {"parameters": "given", "active": "given_active"}
    chosen = {words.get(key, key): value for key, value in entry.items() if key not in ("names", "source", "date")}
    return Architecture(
        **{key: float(value) if key in ("given", "given_active") else value for key, value in chosen.items()}
    )


@functools.cache
def known() -> dict[str, Architecture]:
    """Architectures by the entry's key and by every hub id or package of it."""
    found = {}
    for key, entry in read_yaml(TABLE).items():
        architecture = _of_entry(entry)
        found.update(dict.fromkeys((key, *entry["names"]), architecture))
    return found


def of_model(model: Model, at: str, folders: tuple[Path, ...] = ()) -> Architecture:
    """The architecture of published weights: from the table, or from a config.json.

    Args:
        at: key path of the model, for the message.
        folders: where weights of the model may be already: staged, or fetched.

    Raises:
        UserError: neither says it.
    """
    name = model.hub.id if model.hub else model.package.package if model.package else None
    if name in known():
        return known()[name]
    local = (Path(model.local.path),) if model.local else ()
    for folder in (*local, *folders):
        if (folder / "config.json").is_file():
            return of_config(read_json(folder / "config.json"), str(folder / "config.json"))
    raise UserError(
        at,
        f"the architecture of {name or 'this model'} is not known",
        f"stage it first, or describe it in scripts/thoughtline/plan/{TABLE.name}",
    )
