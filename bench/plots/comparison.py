"""Two machines: how many times as long the one takes as the other."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from bench.plots.style import COLOURS, LINES, MARKERS, panels_of
from bench.statistics.crossover import judged_at
from bench.statistics.time_ratio import TOO_FEW


def times(table: pd.DataFrame, left: str, right: str) -> Figure:
    """Ratio of times against the size that varies most, a panel an operation, a line a setting.

    Bars are the simultaneous intervals of `bench.statistics.time_ratio`; hollow marks have too few samples to be judged.

    Args:
        table: the table "times" of `bench.comparing.two_folders.compared`.
        left, right: what the two are called.
    """
    ours = table[table["implementation"] == "rnn_jax"]
    operations = sorted(ours["operation"].unique())
    figure, panels = panels_of(len(operations), shared_y=True)
    for axes, operation in zip(panels, operations, strict=True):
        _panel(axes, ours[ours["operation"] == operation])
        axes.set_title(operation, loc="left", fontsize=10)
    panels[0].set_ylabel("time, right / left")
    hollow = ours["verdict"].eq(TOO_FEW).any()
    note = "; hollow: too few samples to say so" if hollow else ""
    figure.suptitle(f"left: {left}\nright: {right}, faster under 1{note}", fontsize=10, ha="left", x=0.02)
    return figure


def _panel(axes: Axes, table: pd.DataFrame) -> None:
    looks = zip(cycle(COLOURS), cycle(MARKERS), cycle(LINES), strict=False)
    counts = {name: len(table[name].unique()) for name in ("dtype", *_AXES)}
    along = max(_AXES, key=lambda name: counts[name])  # of equals the first
    varying = [name for name, count in counts.items() if count > 1 and name != along]
    for (cell, *setting), group in table.groupby(["cell", *varying]):
        colour, marker, line = next(looks)
        by_size = group.groupby(along)[["ratio", "ratio_low", "ratio_high"]].median()
        judged = judged_at(group, along)
        words = (v if n == "dtype" else f"{_SHORT[n]}={v:g}" for n, v in zip(varying, setting, strict=True))
        label = " ".join([cell, *words])
        sizes, ratios = by_size.index.to_numpy(float), by_size["ratio"].to_numpy(float)
        # A lone point has no neighbour that a line could lead to.
        joins = {"linestyle": line if len(sizes) > 1 else "none", "color": colour}
        axes.plot(sizes, ratios, **joins)
        bars = np.abs(by_size[["ratio_low", "ratio_high"]].to_numpy(float).T - ratios)
        known = np.isfinite(bars).all(axis=0)
        if known.any():
            axes.errorbar(
                sizes[known], ratios[known], yerr=bars[:, known], fmt="none", ecolor=colour, capsize=2
            )
        for fill, some in ((colour, judged.to_numpy(bool)), ("white", ~judged.to_numpy(bool))):
            axes.plot(sizes[some], ratios[some], marker, color=colour, markerfacecolor=fill)
        axes.plot([], [], marker=marker, label=label, **joins)
    axes.set_xlabel(_AXES[along])
    axes.axhline(1.0, color="0.3", linewidth=1.0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=30))
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.legend(fontsize=7)


_AXES = {
    "state_size": "state size n",
    "sequence_length": "steps T",
    "batch_size": "sequences in a batch",
    "seed_count": "nets at once",
}
_SHORT = {"state_size": "n", "sequence_length": "T", "batch_size": "batch", "seed_count": "nets"}
