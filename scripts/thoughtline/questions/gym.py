"""Generate entries of a reasoning-gym task: settings as JSON on stdin, one JSON row a line on stdout.

Run as a program (`python -m thoughtline.questions.gym`) with a fixed PYTHONHASHSEED: at version 0.1.25 the entries of
isomorphic_strings, knight_swap, polynomial_multiplication, ransom_note and word_ladder depend on it.
"""

from __future__ import annotations

import difflib
import json
import sys
from typing import Any

from ..common.canonical import canonical_json
from .values import plain

EXIT_REFUSED = 3
"""reasoning-gym knows no such task, or refuses its settings; stdout says why."""


class Refused(Exception):
    """reasoning-gym does not accept the settings."""


def entries(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows {question, answer, metadata} of `settings`: {task, size, seed, config}."""
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

    task, config = settings["task"], settings.get("config") or {}
    if task not in DATASETS:
        near = difflib.get_close_matches(task, DATASETS, 3)
        raise Refused("there is no such task" + (f"; did you mean {', '.join(near)}?" if near else ""))
    if clash := sorted({"size", "seed"} & set(config)):
        raise Refused(f"config must not hold {' and '.join(clash)}: size and seed stand beside it")
    try:
        data = reasoning_gym.create_dataset(task, size=settings["size"], seed=settings["seed"], **config)
        return [{name: plain(entry[name]) for name in ("question", "answer", "metadata")} for entry in data]
    except Exception as error:  # a task reports bad settings by whatever exception its code happens to raise
        raise Refused(f"config {canonical_json(config)} is refused ({type(error).__name__}: {error})") from error


def main() -> int:
    """Read settings, write rows."""
    settings = json.load(sys.stdin)
    # Whatever a task prints must not stand among the rows.
    rows_to, sys.stdout = sys.stdout, sys.stderr
    try:
        rows = entries(settings)
    except Refused as error:
        print(error, file=rows_to)
        return EXIT_REFUSED
    rows_to.write("".join(json.dumps(row) + "\n" for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
