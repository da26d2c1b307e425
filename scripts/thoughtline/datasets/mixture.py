"""How many rows of each domain or source, and which."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from .candidates import Candidate, Drop
from .keep import Split, shuffled


def target_rows(available: Mapping[str, int], mixture: Mapping[str, Any]) -> dict[str, int]:
    """Rows to take of each domain (of each source with `sources`); one that is not named gives none.

    `counts` and `sources` are upper limits. `weights` are shares, and shares are kept: when a domain has fewer rows than its share
    of `total`, the total shrinks until it suffices (a domain without any row gives an empty dataset). Rows that do
    not divide evenly go to the largest remainders, the first name among equals.
    """
    if limits := mixture.get("counts") or mixture.get("sources"):
        return {name: min(count, available.get(name, 0)) for name, count in limits.items()}
    weights = {domain: Fraction(str(weight)) for domain, weight in sorted(mixture["weights"].items())}
    shares = {domain: weight / sum(weights.values()) for domain, weight in weights.items()}
    total = min(mixture["total"], *(math.floor(available.get(domain, 0) / share) for domain, share in shares.items()))
    rows = {domain: math.floor(total * share) for domain, share in shares.items()}
    by_remainder = sorted(shares, key=lambda domain: (rows[domain] - total * shares[domain], domain))
    for domain in by_remainder[: total - sum(rows.values())]:
        rows[domain] += 1
    return rows


def mix(candidates: Sequence[Candidate], mixture: Mapping[str, Any], seed: int) -> Split:
    """Take the rows of each domain or source in a seeded order of question hashes, so that a new question moves few others."""
    key = "source" if mixture.get("sources") else "domain"
    wanted = target_rows(Counter(getattr(each, key) for each in candidates), mixture)
    kept: list[Candidate] = []
    dropped: list[Drop] = []
    taken: Counter[str] = Counter()
    for each in sorted(candidates, key=lambda each: (shuffled(seed, each.question_id), each.sample, each.trace_id)):
        name = getattr(each, key)
        if taken[name] < wanted.get(name, 0):
            taken[name] += 1
            kept.append(each)
        else:
            dropped.append(Drop(each, "mixture"))
    return kept, dropped
