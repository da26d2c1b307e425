"""Matplotlib figures as SVG inside the page: same bytes each time, the page's own fonts and colours."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import matplotlib
from matplotlib.figure import Figure

WIDTH = 760  # px, the width of the page's column

# Placeholders that become the page's CSS variables, so that a plot follows the page into the dark.
INK, MUTED, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
GOOD, BAD, OFF = "#050505", "#060606", "#070707"  # correct or kept; incorrect or dropped; neither
SERIES = tuple(f"#0a000{number}" for number in range(1, 8))
_VARIABLES = {
    INK: "ink", MUTED: "muted", LINE: "line", PAPER: "paper", GOOD: "good", BAD: "bad", OFF: "off",
    **{colour: f"c{number}" for number, colour in enumerate(SERIES, start=1)},
}  # fmt: skip

_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same text widths on every machine
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 12,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "ytick.major.size": 0,
    "text.color": INK,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 11,
    "legend.borderaxespad": 0,
    "axes.unicode_minus": True,
}


def colour(number: int) -> str:
    """The colour of the series `number`, from 0; they repeat after seven."""
    return SERIES[number % len(SERIES)]


@dataclass
class Plot:
    """A figure on its way into the page; `svg` is there once its `with` block has ended."""

    figure: Figure
    svg: str = ""


def _inline(text: str, name: str, alternative: str) -> str:
    """The <svg> element alone, with ids of its own, CSS variables for colours and the page's font."""
    text = text[text.index("<svg ") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r'xlink:href="#', f'href="#{name}-', text).replace("url(#", f"url(#{name}-")
    text = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", text)
    for placeholder, variable in _VARIABLES.items():
        text = text.replace(placeholder, f"var(--{variable})")
    text = re.sub(r"<defs>\s*</defs>\s*", "", text)
    text = re.sub(r"\n\s*", "\n", text).strip()
    box = re.search(r'viewBox="([^"]*)"', text)
    assert box is not None
    return f'<svg viewBox="{box[1]}" role="img" aria-label={quoteattr(alternative)}>' + text[text.index(">") + 1 :]


@contextmanager
def plot(name: str, height: float, alternative: str, width: float = WIDTH) -> Iterator[Plot]:
    """Draw a figure of `width` x `height` px in the page's style.

    Args:
        name: unique in the page; ids inside the SVG start with it.
        alternative: what the figure shows, for those who cannot see it.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        drawn = Plot(Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained"))
        yield drawn
        buffer = io.StringIO()
        drawn.figure.savefig(buffer, format="svg", metadata={"Date": None})
        drawn.svg = _inline(buffer.getvalue(), name, alternative)
