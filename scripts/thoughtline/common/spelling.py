"""What somebody may have meant who wrote a name that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The name of `known` that is spelt most like `word`; None if none is near."""
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1)), None)


def known_names(known: Iterable[str], word: str = "") -> str:
    """`did you mean 'b'? known: a, b, c`, the end of a message about the unknown name `word`; the nearest name, if one is near."""
    names = sorted(known)
    found = nearest(word, names)
    return (f"did you mean {found!r}? " if found else "") + f"known: {', '.join(names) or 'none yet'}"
