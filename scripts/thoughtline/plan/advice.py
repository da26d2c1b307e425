"""What would make a run cheaper without changing what it makes."""

from __future__ import annotations

from collections.abc import Callable

from .plan import Plan
from .show import short

IN_FLIGHT = (96, 128, 192, 256)
"""Values of `execution.concurrency` that are tried."""
WORTH = 0.1
"""Least share of a plan's hours that advice saves."""
NEARLY = 1.05
"""Hours over the best value's with which fewer requests are preferred: each server then is sent fewer at once, and its last ones end sooner."""


def on_concurrency(plan: Plan, now: int, again: Callable[[int], Plan]) -> list[str]:
    """Whether more requests in flight to a server would cost fewer GPU-hours: its weights are read for all of them at once.

    Args:
        now: `execution.concurrency` of the plan.
        again: the plan with another.
    """
    total = plan.total()
    if plan.machine_hours or total is None or not total[0]:
        return []
    hours = {count: found[0] for count in IN_FLIGHT if count > now and (found := again(count).total())}
    if not hours or min(hours.values()) > (1 - WORTH) * total[0]:
        return []
    best = next(count for count, each in hours.items() if each <= NEARLY * min(hours.values()))
    return [
        f"`execution: {{concurrency: {best}}}` in site.yaml instead of {now}: about {short(hours[best])} GPU-hours instead of {short(total[0])}, "
        "since servers hold the context of more requests than they are sent; it changes no result"
    ]
