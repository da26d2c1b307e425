"""Errors that a person can act on, and the exit codes that the workflow understands."""

from __future__ import annotations

EXIT_BAD_INPUT = 2
"""Something in the recipe, the command line or an input file is wrong; retrying cannot help."""

EXIT_AGAIN = 75
"""Stopped cleanly before the deadline (EX_TEMPFAIL); state is kept, the same command goes on."""


class UserError(Exception):
    """A mistake in what we were given: says where, what is wrong, and what would be right.

    Args:
        where: a recipe key path, a file (with a row or line number) or an option.
        what: what is wrong with it.
        right: what would be right, as an instruction or an example.
    """

    def __init__(self, where: str, what: str, right: str = "") -> None:
        self.where, self.what, self.right = where, what, right
        super().__init__(f"{where}: {what}" + (f"; {right}" if right else ""))


class OutOfTime(Exception):
    """The job's deadline is near: state is saved, the command exits with EXIT_AGAIN."""
