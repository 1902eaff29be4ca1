"""Colours, marks and lines of a report: told apart without colour, on light and on dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import matplotlib as mpl
from matplotlib.colors import to_hex

from bench.plots.style import COLOURS

# Yellow is not legible as a line on white; black stands for the ink of the page.
LIGHT = (*COLOURS[:6], COLOURS[6])
DARK = ("#4C9BD6", "#E8743B", "#2DBE93", "#DB94BD", "#E9B13A", "#A9DCF8", "#E8E6E3")
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star")
DASHES = ("solid", "dash", "dashdot", "dot", "longdash")


@dataclass(frozen=True)
class Look:
    """How a line is drawn.

    Attributes:
        colour: as CSS writes it; `var(--series-0)` is resolved in the page, light or dark.
        symbol: one of SYMBOLS, or "" for no marks.
        dash: one of DASHES, or "" for no line.
    """

    colour: str = "var(--ink)"
    symbol: str = ""
    dash: str = "solid"


def looks_of(labels: Sequence[str], *, dashes: Sequence[str] = DASHES) -> dict[str, Look]:
    """A look for each label; colour and mark repeat together only after 56."""
    series = cycle(f"var(--series-{place})" for place in range(len(LIGHT)))
    return {
        label: Look(colour, symbol, dash)
        for label, colour, symbol, dash in zip(labels, series, cycle(SYMBOLS), cycle(dashes), strict=False)
    }


def palette(colours: Sequence[str]) -> str:
    """The series as CSS declarations."""
    return " ".join(f"--series-{place}: {colour};" for place, colour in enumerate(colours))


def colour_scale(name: str, upto: float = 1.0, steps: int = 17) -> list[list[float | str]]:
    """A colour map of matplotlib as plotly wants it, so that reports and pictures have the same colours.

    Args:
        upto: which share of the map is used, from its beginning.
    """
    places = [place / (steps - 1) for place in range(steps)]
    return [[place, to_hex(mpl.colormaps[name](upto * place))] for place in places]
