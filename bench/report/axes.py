"""Traces and layouts that the charts of a report share, as plotly's dictionaries."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.report.escaping import label
from bench.report.looks import Look

_LONG_NAME = 14
"""Letters."""


def numbers(values: np.ndarray) -> list[float]:
    """As a list."""
    return [float(value) for value in values]


def line(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    look: Look,
    hover: str,
    *,
    meta: Sequence[int] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A curve, a row of marks, or both.

    Args:
        name: as it came from the results: not yet escaped.
        hover: what is told at a point, as plotly's template.
        meta: as `View.traces` says.
        more: of plotly's scatter trace.
    """
    modes = [mode for mode, given in (("lines", look.dash), ("markers", look.symbol)) if given]
    trace: dict[str, Any] = {
        "type": "scatter",
        "name": label(name),
        "x": numbers(x),
        "y": numbers(y),
        "mode": "+".join(modes),
        "hovertemplate": f"<b>{label(name).replace('%', '&#37;')}</b><br>{hover}<extra></extra>",
    }
    if look.dash:
        trace["line"] = {"color": look.colour, "dash": look.dash, "width": 2}
    if look.symbol:
        trace["marker"] = {"color": look.colour, "symbol": look.symbol, "size": 8}
    return trace | ({} if meta is None else {"meta": list(meta)}) | more


def band(
    x: np.ndarray, least: np.ndarray, most: np.ndarray, colour: str, meta: Sequence[int]
) -> dict[str, Any]:
    """The area between two curves."""
    return {
        "type": "scatter",
        "x": numbers(np.concatenate([x, x[::-1]])),
        "y": numbers(np.concatenate([least, most[::-1]])),
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": colour,
        "opacity": 0.16,
        "hoverinfo": "skip",
        "meta": list(meta),
    }


def level(y: float) -> dict[str, Any]:
    """A thin line across the chart, as a shape of plotly's layout."""
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y,
            "line": {"color": "var(--ink-soft)", "width": 1}, "layer": "below"}  # fmt: skip


def layout(
    x: str, y: str, *, xaxis: dict[str, Any] | None = None, yaxis: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A layout with named axes: the name of the upright one stands over it, where a phone has room for it.

    Args:
        x, y: what the axes show, and in which unit.
        xaxis, yaxis, more: of plotly's layout.
    """
    over = {"text": label(y), "xref": "paper", "yref": "paper", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom",
            "yshift": 6, "showarrow": False, "font": {"size": 13}}  # fmt: skip
    return {
        "xaxis": {"title": {"text": label(x), "standoff": 8, "font": {"size": 13}}} | (xaxis or {}),
        "yaxis": yaxis or {},
        "annotations": [over],
    } | more


def heat_map(
    x: Sequence[Any],
    y: Sequence[Any],
    values: np.ndarray,
    scale: list[list[float | str]],
    limits: tuple[float, float],
    bar: str,
    hover: str,
    **more: Any,
) -> dict[str, Any]:
    """A heat map with its bar of colours lying under it.

    Args:
        x, y: of the columns and rows of `values`; texts are not yet escaped.
        scale: as `bench.report.looks.colour_scale` gives it.
        bar: what the colours show.
        hover: what is told at a cell, as plotly's template.
        more: of plotly's heat map trace.
    """  # fmt: skip
    return {
        "type": "heatmap",
        # A long name breaks at its commas.
        "x": [label(each).replace(", ", "<br>") if isinstance(each, str) else each for each in x],
        "y": [_broken(each) if isinstance(each, str) else each for each in y],
        "z": [numbers(row) for row in values],
        "colorscale": scale,
        "zmin": limits[0],
        "zmax": limits[1],
        "hovertemplate": f"{hover}<extra></extra>",
        "hoverongaps": False,
        "colorbar": {"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.16, "yanchor": "top", "thickness": 12, "len": 0.6, 
                     "outlinewidth": 0, "title": {"text": label(bar), "side": "bottom", "font": {"size": 13}}, "tickfont": {"size": 12}},
    } | more  # fmt: skip


def _broken(name: str) -> str:
    """A long name in two lines: a phone has no room for it beside a chart."""
    start, underscore, end = name.rpartition("_")
    return f"{label(start)}_<br>{label(end)}" if underscore and len(name) > _LONG_NAME else label(name)


def log_axis(values: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis about these values, with ticks at 1, 2 and 5 of each decade, written out."""
    known = [float(value) for value in values if np.isfinite(value) and value > 0] or [1.0]
    least, greatest = min(*known, 1.0) / 1.3, max(*known, 1.0) * 1.3
    decades = range(int(np.floor(np.log10(least))), int(np.ceil(np.log10(greatest))) + 1)
    steps = (1,) if len(decades) > 4 else (1, 2, 5)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return {"type": "log", "range": np.log10([least, greatest]).tolist(), "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks]}  # fmt: skip


def sizes_axis(sizes: Sequence[float], most: int = 8) -> dict[str, Any]:
    """A logarithmic axis with a tick at each measured size, or at some of them where they are many."""
    known = sorted({float(size) for size in sizes})
    ticks = known[:: -(-len(known) // most)]
    ends = np.log10([known[0] / 1.15, known[-1] * 1.15]).tolist()
    return {"type": "log", "range": ends, "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
