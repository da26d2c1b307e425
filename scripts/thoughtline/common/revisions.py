"""Hub revisions that are still to be pinned."""

from __future__ import annotations

from .errors import UserError

UNPINNED = "0" * 40
"""Stands in a recipe where a revision must be, but was not known when the recipe was written. No commit has this hash."""


def must_be_pinned(hub: dict[str, str], where: str, kind: str = "") -> None:
    """Refuse to fetch something whose revision is still UNPINNED.

    Args:
        hub: `id` and `revision`.
        where: the key, for the message.
        kind: "datasets/" for a data set, nothing for a model: the part of the hub's address before the id.

    Raises:
        UserError: it is.
    """
    if hub["revision"] == UNPINNED:
        raise UserError(
            f"{where}.revision",
            f"{hub['id']} has no revision yet: {UNPINNED[:8]}... only holds its place in the recipe",
            f"put in the commit to use; `git ls-remote https://huggingface.co/{kind}{hub['id']} HEAD` prints today's",
        )
