"""Ours beside the rivals: how many times as long they take."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import math
from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from bench.plots.style import COLOURS, MARKERS
from bench.store import Store
from bench.tables.peers import OURS, peers

_WRONG_AT = 0.015
_WRONG_APART = 0.022
_CROSS = {"markersize": 7, "markeredgewidth": 2}


def peer_ratios(store: Store) -> Figure | None:
    """Time over ours, a panel an operation, a line of marks a setting; a cross for a wrong answer."""
    if "agreement" not in store.kinds():
        return None
    table = peers(store.read("agreement"), store.read("timings") if "timings" in store.kinds() else None)
    rivals = table[(table["implementation"] != OURS) & (table["ratio"].notna() | _is_wrong(table))]
    if rivals.empty:
        return None
    operations = sorted(rivals["operation"].unique())
    of = {name: rivals[rivals["operation"] == name] for name in operations}
    names = {name: [_setting(row, of[name]) for row in of[name].itertuples()] for name in operations}
    # A panel is as high as its settings or its legend.
    lines = [max(len(set(names[name])), of[name]["implementation"].nunique()) + 1.5 for name in operations]
    figure = Figure(figsize=(9.6, 0.3 * sum(lines) + 0.9))
    panels = figure.subplots(len(operations), 1, squeeze=False, height_ratios=lines)
    for axes, operation in zip(panels[:, 0], operations, strict=True):
        _panel(axes, of[operation], names[operation])
        axes.set_title(operation, loc="left", fontsize=10)
    panels[-1, 0].set_xlabel(f"time / time of {OURS} (over 1: {OURS} is faster)")
    figure.suptitle(
        "Median of interleaved rounds, bars between quartiles; cross: wrong answer, not timed", fontsize=10
    )
    return figure


def _panel(axes: Axes, table: pd.DataFrame, names: list[str]) -> None:
    settings = list(dict.fromkeys(names))
    heights = pd.Series([len(settings) - 1 - settings.index(name) for name in names], index=table.index)
    rivals = sorted(table["implementation"].unique())
    for place, (rival, colour, marker) in enumerate(
        zip(rivals, cycle(COLOURS), cycle(MARKERS), strict=False)
    ):
        own = table["implementation"] == rival
        # A little apart, so that equal ratios do not hide each other.
        height = heights[own] + 0.22 * ((len(rivals) - 1) / 2 - place) / max(1, (len(rivals) - 1) / 2)
        ratio = table[own]["ratio"]
        bars = [ratio - table[own]["ratio_lower_quartile"], table[own]["ratio_upper_quartile"] - ratio]
        axes.errorbar(
            ratio, height, xerr=[each.clip(lower=0) for each in bars], color=colour, marker=marker,
            linestyle="none", markersize=6, capsize=2, label=rival,
        )  # fmt: skip
        wrong = height[_is_wrong(table[own])]
        for each in wrong:
            place_of_cross = _WRONG_AT + _WRONG_APART * place
            axes.plot(place_of_cross, each, "x", color=colour, transform=axes.get_yaxis_transform(), **_CROSS)
    axes.axvline(1.0, color="0.3", linewidth=1.0)
    known = table["ratio"].dropna()
    low, high = (min(known.min(), 1.0), max(known.max(), 1.0)) if len(known) else (1.0, 1.0)
    # Room on the left for the crosses, and at least a decade in all.
    axes.set_xscale("log")
    axes.set_xlim(10 ** (math.log10(low) - 0.5), 10 ** (math.log10(high) + 0.5))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=30))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    axes.set_yticks(range(len(settings)), settings[::-1])
    axes.set_ylim(-0.6, len(settings) - 0.4)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _setting(row: object, among: pd.DataFrame) -> str:
    """The setting in few words: the cell and sizes, and what else varies within the panel."""
    parts = [row.cell, f"T={row.sequence_length}", f"n={row.hidden_size}"]
    if row.batch_size > 1:
        parts.insert(1, f"batch={row.batch_size}")
    if len(among["gain"].unique()) > 1:
        parts.append(f"gain={row.gain:g}")
    return " ".join(parts)


def _is_wrong(table: pd.DataFrame) -> pd.Series:
    return table["verdict"].str.startswith(("wrong", "failed"))
