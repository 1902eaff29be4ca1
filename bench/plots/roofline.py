"""The roofline: speed of each operation over its intensity, under what the device can do at best."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots.style import COLOURS, LINES, MARKERS
from bench.store import Store
from bench.tables.ceilings import Ceilings, ceilings_of
from bench.tables.roofline import roofline as roofline_table

_ROOM = 4.0
_ALIKE = 0.1
_NEAR = 0.4
"""From this share of its ceiling on a mark has its number underneath: above there is no room."""
_OTHERS = ["cell", "method"]
"""What may tell marks of one operation and size apart."""


def roofline(store: Store) -> Figure | None:
    """A panel a dtype: ceilings as lines, a mark for each operation and size, filled where launches bind it."""
    if not {"ceilings", "timings"} <= set(store.kinds()):
        return None
    frame = store.read("ceilings")
    ceilings, table = ceilings_of(frame), roofline_table(store.read("timings"), frame)
    if ceilings is None or table.empty:
        return None
    dtypes = sorted(table["dtype"].unique())
    operations = sorted(table["operation"].unique())
    figure = Figure(figsize=(5.0 * len(dtypes) + 0.6, 5.2))
    panels = figure.subplots(1, len(dtypes), squeeze=False, sharey=True)[0]
    for axes, dtype in zip(panels, dtypes, strict=True):
        own = table[table["dtype"] == dtype]
        ridges = [rate / ceilings.bytes_per_s for (of, _), rate in ceilings.flop_per_s.items() if of == dtype]
        reach = (
            min(own["flop_per_byte"].min(), *ridges) / _ROOM,
            max(own["flop_per_byte"].max(), *ridges) * _ROOM,
        )
        _ceilings(axes, ceilings, dtype, reach)
        for number, operation in enumerate(operations):
            marks = own[own["operation"] == operation]
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            for bound_by_launches in (True, False):
                some = marks[(marks["bound_by"] == "launches") == bound_by_launches]
                axes.plot(
                    some["flop_per_byte"], some["gflop_per_s"], marker, linestyle="none", color=colour,
                    markerfacecolor="none" if bound_by_launches else colour, markersize=7,
                )  # fmt: skip
            if len(marks):
                axes.plot([], [], marker, linestyle="none", color=colour, label=operation)
            _sizes(axes, marks)
        axes.set_title(dtype, loc="left", fontsize=10)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(*reach)
        axes.set_xlabel("intensity (flop / byte of least traffic)")
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    panels[0].set_ylabel("GFLOP/s")
    figure.suptitle(
        "Numbers are n, words another cell or method of that n; hollow: bound by launches, one loop iteration after another",
        fontsize=10,
    )
    return figure


def _ceilings(axes: Axes, ceilings: Ceilings, dtype: str, reach: tuple[float, float]) -> None:
    intensities = np.geomspace(*reach, 200)
    known = [
        (precision, rate) for (of, precision), rate in sorted(ceilings.flop_per_s.items()) if of == dtype
    ]
    # `highest` first, with the plainest line: it is what the marks are held to.
    known.sort(key=lambda each: each[0] != "highest")
    # A device that has no such arithmetic gives the same line again.
    known = [each for each in known if each is known[0] or abs(each[1] / known[0][1] - 1) > _ALIKE]
    for number, (precision, rate) in enumerate(known):
        speed = np.minimum(rate, ceilings.bytes_per_s * intensities) / 1e9
        axes.plot(
            intensities, speed, linestyle=LINES[number % len(LINES)], color="0.2" if number == 0 else "0.6",
            linewidth=1.4 if number == 0 else 1.0, label=f"{precision}: {rate / 1e9:.3g} GFLOP/s",
        )  # fmt: skip


def _sizes(axes: Axes, marks: pd.DataFrame) -> None:
    """n beside the fastest mark of each size; beside the best of another method or cell, what is other about it."""
    best = marks.sort_values("gflop_per_s", ascending=False).drop_duplicates(["hidden_size", *_OTHERS])
    for _, of_size in best.groupby("hidden_size", sort=True):
        fastest = of_size.iloc[0]
        for place, (_, mark) in enumerate(of_size.iterrows()):
            differing = [
                str(mark[name]) for name in _OTHERS if mark[name] != fastest[name] and pd.notna(mark[name])
            ]
            if place and not differing:
                continue
            under = mark["gflop_per_s"] > _NEAR * mark["ceiling_gflop_per_s"]
            axes.annotate(
                differing[0] if place else str(mark["hidden_size"]),
                (mark["flop_per_byte"], mark["gflop_per_s"]), xytext=(5, -10 if under else 5),
                textcoords="offset points", fontsize=6 if place else 7, color="0.4" if place else "black",
            )  # fmt: skip
