"""A plan as one page that opens offline, in the report's style."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..common.pages import page_template
from ..machines.schema import Machine
from ..recipe.schema.recipe import Recipe
from .calibration import calibrate
from .plan import Plan
from .show import (
    counted_of,
    fits_of,
    grouped,
    heads,
    joined,
    notes_of,
    percent,
    short,
    target_heads,
    target_rows,
    unit_of,
    unknown_of,
)

FOLDER = Path(__file__).parent
STYLE = FOLDER.parent / "report" / "style.css"


def _bars(plan: Plan) -> tuple[list[dict[str, Any]], tuple[str, str]]:
    """Intervals of the groups that have hours, on a logarithmic scale in percent of the width; and the scale's ends."""
    found = []
    for lines in grouped(plan):
        total = plan.total([line.key for line in lines]) if lines[0].computes else None
        if total and total[0] > 0:
            found.append((lines, total))
    if not found:
        return [], ("", "")
    low = math.floor(math.log10(min(total[1] for _, total in found)))
    high = max(low + 1, math.ceil(math.log10(max(total[2] for _, total in found))))

    def place(hours: float) -> float:
        return round(100 * (math.log10(hours) - low) / (high - low), 2)

    rows = []
    for lines, (hours, least, most) in found:
        stage, what = joined(plan, lines)[:2]
        rows.append(
            {
                "what": f"{stage} {what}", "low": place(least), "width": round(place(most) - place(least), 2), "at": place(hours),
                "hours": f"{short(hours)} ({short(least)} to {short(most)})",
            }
        )  # fmt: skip
    return rows, (short(10.0**low), short(10.0**high))


def page(plan: Plan, recipe: Recipe, machine: Machine) -> str:
    """The page as HTML."""
    total, wall = plan.total(), plan.wall()
    unit = unit_of(plan)
    tiles = [
        (
            "–" if total is None else short(total[0]),
            unit + ("" if total is None else f", {short(total[1])} to {short(total[2])}"),
        ),
        (short(wall), "hours, the longest way through"),
        (str(sum(line.left for line in plan.lines)), "jobs"),
        (short(sum(area.peak for area in plan.areas), "B"), "of storage at the peak"),
    ]
    if plan.price and (cost := plan.cost()) is not None:
        tiles.append((f"{cost:,.0f}", plan.price.currency))
    bars, scale = _bars(plan)
    view = {
        "plan": plan,
        "title": recipe.title,
        "machine": machine.title,
        "style": STYLE.read_text(encoding="utf-8"),
        "unit": unit,
        "tiles": tiles,
        "exceeded": plan.exceeded,
        "target_heads": target_heads(plan),
        "targets": target_rows(plan),
        "bars": bars,
        "scale": scale,
        "heads": heads(plan),
        "unknown": unknown_of(plan),
        "lines": [joined(plan, lines) for lines in grouped(plan)],
        "fits": fits_of(plan),
        "notes": [*notes_of(plan), *plan.limits, *plan.advice],
        "storage": [
            [
                area.name,
                area.path,
                short(area.kept, "B"),
                short(area.peak, "B"),
                short(area.quota, "B"),
                f"{area.purge_days} days" if area.purge_days else "",
            ]
            for area in plan.areas
        ],
        "counted": counted_of(plan),
        "percent": percent,
        "calibration": calibrate()[1],
    }
    return page_template(FOLDER / "page.jinja").render(view)
